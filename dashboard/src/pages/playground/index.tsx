// Chat with the base model and up to three adapters side by side.
import { Box, Button } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useSession } from "../../api/session";
import { Empty } from "../../parts/Empty";
import { Icon } from "../../parts/Icon";
import { PageHeader } from "../../parts/PageHeader";
import { Panel } from "../../parts/Panel";
import { Column } from "./Column";
import { Composer } from "./Composer";
import { CopyAs } from "./CopyAs";
import { Parameters } from "./Parameters";
import classes from "./playground.module.css";
import { MAX_COLUMNS, bodyOf, modelsOf, type PlaygroundSearch } from "./settings";
import { turnsOf, useChats } from "./useChats";
import { useModelNames } from "./useModelNames";

/** In copied code, while nothing was asked yet. */
const EXAMPLE = "I was charged twice for my order.";

export function Playground() {
  const { can } = useSession();
  if (can("chat")) return <Chats />;
  return (
    <Empty title="This key may not chat">
      Sign in with a tenant's key that has the scope <code>chat</code>. The operator's keys open no inference.
    </Empty>
  );
}

function Chats() {
  const { session } = useSession();
  const search: PlaygroundSearch = useSearch({ from: "/shell/playground" });
  const navigate = useNavigate({ from: "/playground" });
  const { chats, busy, send, stop, clear, remove } = useChats();
  const models = modelsOf(search, session.base_model);

  const change = (part: Partial<PlaygroundSearch>) => {
    void navigate({ search: (before) => withoutEmpty({ ...before, ...part }), replace: true });
  };
  const setModels = (next: string[]) => change({ models: next.join(",") });
  const { names } = useModelNames("");
  const add = () => setModels([...models, names.find((id) => !models.includes(id)) ?? session.base_model]);
  const takeAway = (column: number) => {
    remove(column);
    setModels(models.filter((_, index) => index !== column));
  };
  const asked = chats[0]?.at(-1)?.user ?? EXAMPLE;
  const bodies = models.map((model, column) =>
    bodyOf(search, model, turnsOf(chats[column]?.slice(0, -1) ?? [], asked)),
  );

  return (
    <>
      <PageHeader
        title="Playground"
        note="Ask the base model and up to three adapters the same, side by side."
      >
        <Button
          variant="default"
          leftSection={<Icon name="plus" size={14} />}
          onClick={add}
          disabled={models.length >= MAX_COLUMNS}
        >
          Add a model
        </Button>
        <CopyAs bodies={bodies} />
        <Button variant="default" onClick={clear} disabled={chats.length === 0}>
          Begin anew
        </Button>
      </PageHeader>
      <div className={classes.page}>
        <div className={classes.talk}>
          <div className={classes.columns}>
            {models.map((model, column) => (
              <Column
                key={column}
                model={model}
                chat={chats[column] ?? []}
                onModel={(name) =>
                  setModels(models.map((before, index) => (index === column ? name : before)))
                }
                onRemove={models.length > 1 ? () => takeAway(column) : null}
              />
            ))}
          </div>
          <Composer busy={busy} onSend={(text) => send(models, search, text)} onStop={stop} />
        </div>
        <Box className={classes.settings}>
          <Panel title="Parameters">
            <Parameters search={search} onChange={change} />
          </Panel>
        </Box>
      </div>
    </>
  );
}

function withoutEmpty(search: PlaygroundSearch): PlaygroundSearch {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== ""));
}
