// Where an adapter's files are dropped, or chosen by those who do not drag.
import { Button, Group, Text } from "@mantine/core";
import { type DragEvent, useRef, useState } from "react";
import { Icon } from "../Icon";
import classes from "./upload.module.css";
import { CONFIG, filesOfDrop, filesOfInput, WEIGHTS, type Found } from "./files";

interface Props {
  /** Of the adapter that gets a version; left out for a new one. */
  name: string | undefined;
  onFiles: (found: Found[]) => void;
}

export function DropZone({ name, onFiles }: Props) {
  const [over, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  const drop = async (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    onFiles(await filesOfDrop(event.dataTransfer));
  };
  const choose = (input: HTMLInputElement) => {
    if (input.files && input.files.length > 0) onFiles(filesOfInput(input.files));
    // The same files can be chosen again after they were corrected.
    input.value = "";
  };

  return (
    <div
      className={over ? classes.over : classes.zone}
      role="group"
      aria-label="Upload an adapter"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => void drop(event)}
    >
      <Group gap="md" wrap="nowrap">
        <Icon name="upload" size={22} />
        <div>
          <Text size="sm" fw={550}>
            {name === undefined ? "Drop an adapter here" : `Drop a new version of ${name} here`}
          </Text>
          <Text size="xs" c="dimmed">
            The folder that PEFT saved, or its two files: <code>{CONFIG}</code> and <code>{WEIGHTS}</code>
          </Text>
        </div>
      </Group>
      <Group gap="xs" wrap="nowrap">
        <Button variant="default" onClick={() => folder.current?.click()}>
          Choose a folder
        </Button>
        <Button variant="default" onClick={() => files.current?.click()}>
          Choose two files
        </Button>
      </Group>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label="Adapter folder"
        onChange={(event) => choose(event.currentTarget)}
        {...{ webkitdirectory: "" }}
      />
      <input
        ref={files}
        type="file"
        hidden
        multiple
        aria-label="Adapter files"
        accept=".json,.safetensors"
        onChange={(event) => choose(event.currentTarget)}
      />
    </div>
  );
}
