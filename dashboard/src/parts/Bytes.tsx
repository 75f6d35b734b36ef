import { bytes, count } from "./format";

export function Bytes({ of }: { of: number }) {
  return (
    <span className="num" title={`${count(of)} bytes`} style={{ whiteSpace: "nowrap" }}>
      {bytes(of)}
    </span>
  );
}
