// The request as others would send it, to be copied.
import { Button, Modal, ScrollArea, SegmentedControl, Select, Stack, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useState } from "react";
import { Copy } from "../../parts/Copy";
import { LANGUAGES, snippet, type ChatBody, type Language } from "./snippets";

/** `bodies` has one request for each model. */
export function CopyAs({ bodies }: { bodies: ChatBody[] }) {
  const [opened, { open, close }] = useDisclosure();
  const [language, setLanguage] = useState<Language>("curl");
  const [chosen, setChosen] = useState(0);
  const body = bodies[chosen] ?? bodies[0];
  if (!body) return null;
  const text = snippet(language, location.origin, body);
  return (
    <>
      <Button variant="default" onClick={open}>
        Copy as code
      </Button>
      <Modal opened={opened} onClose={close} title="This request as code" size="lg">
        <Stack gap="sm">
          <SegmentedControl
            aria-label="Language"
            size="xs"
            data={LANGUAGES}
            value={language}
            onChange={(value) => setLanguage(value)}
          />
          {bodies.length > 1 && (
            <Select
              label="Model"
              size="xs"
              data={bodies.map(({ model }, index) => ({ value: String(index), label: model }))}
              value={String(chosen)}
              onChange={(value) => setChosen(Number(value ?? 0))}
              allowDeselect={false}
            />
          )}
          <ScrollArea.Autosize mah={380} viewportProps={{ tabIndex: 0 }}>
            <pre style={{ margin: 0 }}>{text}</pre>
          </ScrollArea.Autosize>
          <Text size="xs" c="dimmed">
            The key comes from the environment variable <code>TENORA_API_KEY</code>. Make one on the page
            Keys.
          </Text>
          <Copy text={text} label="Copy the code" wide />
        </Stack>
      </Modal>
    </>
  );
}
