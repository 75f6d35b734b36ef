import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, data } from "../../api/client";
import { ErrorLine } from "../../parts/ErrorLine";
import { tellDone } from "../../parts/tell";

/** The server's own rule. */
const SLUG = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function NewTenant({ close }: { close: () => void }) {
  const [slug, setSlug] = useState("");
  const [name, setName] = useState("");
  const client = useQueryClient();
  const navigate = useNavigate();
  const wrong = slug !== "" && !SLUG.test(slug);
  const create = useMutation({
    mutationFn: () => {
      const body = { slug, ...(name.trim() === "" ? {} : { name: name.trim() }) };
      return data(api.POST("/admin/v1/tenants", { body }));
    },
    onSuccess: async (tenant) => {
      tellDone(`${tenant.slug} is there. Next: make a key for it.`);
      await client.invalidateQueries({ queryKey: ["tenants"] });
      await navigate({ to: "/tenants/$slug", params: { slug: tenant.slug }, search: { tab: "keys" } });
    },
  });
  return (
    <Modal opened onClose={close} title="New tenant">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (SLUG.test(slug)) create.mutate();
        }}
      >
        <Stack gap="sm">
          <TextInput
            label="Slug"
            description="Its short name in paths. It cannot be changed, and is never given again."
            value={slug}
            onChange={(event) => setSlug(event.currentTarget.value)}
            error={wrong && "Small letters, digits and hyphens; a letter or digit first; at most 63"}
            data-autofocus
            required
            withAsterisk={false}
            autoComplete="off"
            spellCheck={false}
          />
          <TextInput
            label="Name"
            description="For people; the slug when left empty"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            autoComplete="off"
          />
          <ErrorLine error={create.error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!SLUG.test(slug)} loading={create.isPending}>
              Create tenant
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
