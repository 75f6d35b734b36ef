// A tenant's own keys.
import { useSession } from "../../api/session";
import { keyLabel } from "../../parts/format";
import { Keys as KeyList } from "../../parts/keys/Keys";
import { ownKeys } from "../../parts/keys/routes";
import { PageHeader } from "../../parts/PageHeader";

export function Keys() {
  const { session, can } = useSession();
  const own = session.key && (
    <>
      You are signed in with {session.key.name} <code>{keyLabel(session.key.id)}</code>: when this key ends,
      so does the session.
    </>
  );
  return (
    <>
      <PageHeader title="Keys" note={own} />
      <KeyList routes={ownKeys} may={can("keys:write")} grantable={session.scopes} />
    </>
  );
}
