// A tenant's own keys.
import { useSession } from "../../api/session";
import { ownKeys } from "../../parts/keys/routes";
import { Keys as KeyList } from "../../parts/keys/Keys";
import { PageHeader } from "../../parts/PageHeader";

export function Keys() {
  const { session, can } = useSession();
  const own = session.key && (
    <>
      You are signed in with the key <b>{session.key.name}</b>: when it ends, so does this session.
    </>
  );
  return (
    <>
      <PageHeader title="Keys" note={own} />
      <KeyList routes={ownKeys} may={can("keys:write")} grantable={session.scopes} />
    </>
  );
}
