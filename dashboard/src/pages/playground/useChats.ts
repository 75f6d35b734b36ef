// The conversations side by side. Each model has its own: what it answered is what it is asked with next.
import { useCallback, useEffect, useReducer, useRef } from "react";
import { answer, UNANSWERED, type Answer } from "./stream";
import { bodyOf, type PlaygroundSearch } from "./settings";
import type { Turn } from "./snippets";

export interface Exchange {
  user: string;
  answer: Answer;
}

/** By column. */
export type Chats = readonly (readonly Exchange[])[];

type Action =
  | { kind: "asked"; columns: number; user: string }
  | { kind: "answered"; column: number; answer: Answer }
  | { kind: "removed"; column: number }
  | { kind: "cleared" };

function reduce(chats: Chats, action: Action): Chats {
  switch (action.kind) {
    case "asked":
      return Array.from({ length: action.columns }, (_, column) => [
        ...(chats[column] ?? []),
        { user: action.user, answer: UNANSWERED },
      ]);
    case "answered":
      return chats.map((chat, column) => {
        const last = chat.at(-1);
        if (column !== action.column || !last) return chat;
        return [...chat.slice(0, -1), { ...last, answer: action.answer }];
      });
    case "removed":
      return chats.filter((_, column) => column !== action.column).map((chat) => chat.map(halted));
    case "cleared":
      return [];
  }
}

const halted = (exchange: Exchange): Exchange =>
  exchange.answer.state === "waiting" || exchange.answer.state === "writing"
    ? { ...exchange, answer: { ...exchange.answer, state: "stopped" } }
    : exchange;

/** What a model is asked with next: answers that failed are left out, together with their questions. */
export function turnsOf(chat: readonly Exchange[], next: string): Turn[] {
  const before = chat
    .filter(({ answer }) => answer.text !== "")
    .flatMap(({ user, answer }): Turn[] => [
      { role: "user", content: user },
      { role: "assistant", content: answer.text },
    ]);
  return [...before, { role: "user", content: next }];
}

export function useChats() {
  const [chats, dispatch] = useReducer(reduce, []);
  const running = useRef<AbortController | null>(null);
  const stop = useCallback(() => running.current?.abort(), []);
  useEffect(() => stop, [stop]);

  const send = (models: string[], search: PlaygroundSearch, user: string) => {
    stop();
    const controller = new AbortController();
    running.current = controller;
    dispatch({ kind: "asked", columns: models.length, user });
    models.forEach((model, column) => {
      const body = bodyOf(search, model, turnsOf(chats[column] ?? [], user));
      void answer(body, controller.signal, (change) => {
        // After another question has begun, what an old one still says is nobody's.
        if (running.current === controller) dispatch({ kind: "answered", column, answer: change });
      });
    });
  };

  const clear = () => {
    stop();
    running.current = null;
    dispatch({ kind: "cleared" });
  };
  const remove = (column: number) => {
    stop();
    // Columns have other numbers from here on: what is still to come would reach another's.
    running.current = null;
    dispatch({ kind: "removed", column });
  };
  const busy = chats.some((chat) => {
    const state = chat.at(-1)?.answer.state;
    return state === "waiting" || state === "writing";
  });
  return { chats, busy, send, stop, clear, remove };
}
