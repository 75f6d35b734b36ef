// What is on record, in words.
export const kinds: Record<string, string> = {
  "tenant.create": "Tenant made",
  "tenant.update": "Tenant changed",
  "tenant.delete": "Tenant deleted",
  "key.create": "Key made",
  "key.rotate": "Key rotated",
  "key.revoke": "Key revoked",
  "adapter_version.create": "Version added",
  "adapter_version.disable": "Version disabled",
  "adapter_version.enable": "Version enabled",
  "adapter_version.delete": "Version deleted",
  "adapter_alias.move": "Alias moved",
  "adapter_alias.rollback": "Alias rolled back",
  "adapter_alias.delete": "Alias deleted",
  "adapter.delete": "Adapter deleted",
  "upload.create": "Upload begun",
  "upload.complete": "Upload completed",
  "upload.cancel": "Upload cancelled",
  "upload.expire": "Upload expired",
};

/** A newer server may know more of them. */
export const wordsOf = (kind: string) => kinds[kind] ?? kind;
