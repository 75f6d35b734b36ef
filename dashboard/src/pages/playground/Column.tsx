// One model: which it is, and its conversation.
import { ActionIcon, Autocomplete, Text, Tooltip } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { Icon } from "../../parts/Icon";
import { AnswerView } from "./AnswerView";
import type { Exchange } from "./useChats";
import { useModelNames } from "./useModelNames";
import classes from "./playground.module.css";

interface Props {
  model: string;
  chat: readonly Exchange[];
  onModel: (model: string) => void;
  onRemove: (() => void) | null;
}

export function Column({ model, chat, onModel, onRemove }: Props) {
  return (
    <section className={classes.column} aria-label={`Conversation with ${model}`}>
      <div className={classes.head}>
        <ModelField key={model} model={model} onModel={onModel} />
        {onRemove && (
          <Tooltip label="Take this model away">
            <ActionIcon variant="subtle" color="gray" aria-label={`Take ${model} away`} onClick={onRemove}>
              <Icon name="close" />
            </ActionIcon>
          </Tooltip>
        )}
      </div>
      <Turns model={model} chat={chat} />
    </section>
  );
}

function ModelField({ model, onModel }: Pick<Props, "model" | "onModel">) {
  const [typed, setTyped] = useState(model);
  // What is there already is no search: opening shows all.
  const { names } = useModelNames(typed === model ? "" : typed);
  const take = (value: string) => {
    const name = value.trim().replaceAll(",", "");
    if (name === "") setTyped(model);
    else if (name !== model) onModel(name);
  };
  return (
    <Autocomplete
      aria-label="Model"
      flex={1}
      size="xs"
      value={typed}
      data={names}
      onChange={setTyped}
      onOptionSubmit={take}
      onBlur={() => take(typed)}
      onKeyDown={(event) => event.key === "Enter" && take(typed)}
      // The server has searched already.
      filter={({ options }) => options}
      spellCheck={false}
    />
  );
}

/** How near to the end counts as being there. */
const NEAR_PX = 60;

function Turns({ model, chat }: Pick<Props, "model" | "chat">) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const last = chat.at(-1)?.answer;
  useEffect(() => {
    const element = box.current;
    if (element && follows.current) element.scrollTop = element.scrollHeight;
  }, [last?.text, last?.state, chat.length]);
  return (
    <div
      ref={box}
      className={classes.turns}
      role="log"
      aria-label={`What ${model} says`}
      // Reachable by the keyboard, since it scrolls.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        // Whoever has scrolled up reads, and is left there.
        follows.current = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      }}
    >
      {chat.length === 0 && (
        <Text size="sm" c="dimmed" m="auto">
          Nothing asked yet.
        </Text>
      )}
      {chat.map((exchange, index) => (
        <div key={index} style={{ display: "contents" }}>
          <div className={classes.user}>{exchange.user}</div>
          <AnswerView answer={exchange.answer} />
        </div>
      ))}
    </div>
  );
}
