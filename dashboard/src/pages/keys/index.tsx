import { PageHeader } from "../../parts/PageHeader";

export function Keys() {
  return <PageHeader title="Keys" />;
}
