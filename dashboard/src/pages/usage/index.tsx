import { PageHeader } from "../../parts/PageHeader";

export function Usage() {
  return <PageHeader title="Usage" />;
}
