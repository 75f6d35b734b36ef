// From a dropped folder to a version that answers, or to the reason why not.
import { Alert } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useSession } from "../../api/session";
import { DropZone } from "./DropZone";
import { Review } from "./Review";
import { Running } from "./Running";
import { adapterOf, FilesError, type AdapterFiles, type Found } from "./files";
import { begin, dismiss, useJob, type Asked } from "./job";

/** `name` is that of an adapter which gets another version. */
export function UploadPanel({ name }: { name?: string }) {
  const { session } = useSession();
  const client = useQueryClient();
  const job = useJob(session.csrf);
  const [files, setFiles] = useState<AdapterFiles | null>(null);
  const [wrong, setWrong] = useState<string | null>(null);

  const take = async (found: Found[]) => {
    setWrong(null);
    try {
      setFiles(await adapterOf(found));
    } catch (error) {
      setWrong(
        error instanceof FilesError ? error.message : "The files cannot be read. Are they still there?",
      );
    }
  };
  const start = (asked: Asked) => {
    setFiles(null);
    void begin(asked, session.csrf, () => {
      for (const key of ["adapters", "adapter", "pushes", "uploads", "models"]) {
        void client.invalidateQueries({ queryKey: [key] });
      }
    });
  };

  if (job) return <Running job={job} onAgain={() => start(job.asked)} onDismiss={dismiss} />;
  if (files) return <Review files={files} name={name} onStart={start} onCancel={() => setFiles(null)} />;
  return (
    <>
      <DropZone name={name} onFiles={(found) => void take(found)} />
      {wrong !== null && (
        <Alert color="red" role="alert" mt="xs" p="xs">
          {wrong}
        </Alert>
      )}
    </>
  );
}
