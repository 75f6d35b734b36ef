// The few signs that the pages use, drawn on 24 by 24. They only stand beside words or inside labelled buttons.
const shapes = {
  pulse: "M3 12h4l3-8 4 16 3-8h4",
  building: "M4 21V5l8-2v18M12 8l8 2v11M2 21h20M8 8v.01M8 12v.01M8 16v.01M16 13v.01M16 17v.01",
  layers: "M12 3 3 8l9 5 9-5-9-5M3 12.5l9 5 9-5M3 17l9 5 9-5",
  chat: "M4 5h16v11H9l-5 4V5M8 9.5h8M8 12.5h5",
  key: "M14.5 9.5a4.5 4.5 0 1 0-4 4.47L12 15.5h2v2h2v2h4v-4l-5.6-5.6M8.5 8v.01",
  bars: "M4 20V10M10 20V4M16 20v-7M21 20H3",
  list: "M8 6h12M8 12h12M8 18h12M4 6v.01M4 12v.01M4 18v.01",
  exit: "M14 8V4H4v16h10v-4M9 12h12M18 9l3 3-3 3",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  copy: "M9 9h11v11H9V9M15 9V4H4v11h5",
  check: "M4 12.5 9.5 18 20 6.5",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M20.5 20.5 15.2 15.2",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  upload: "M12 16V4M7 9l5-5 5 5M4 20h16",
  download: "M12 4v12M7 11l5 5 5-5M4 20h16",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  refresh: "M20 11a8 8 0 1 0-2.3 6.2M20 4v7h-7",
  warning: "M12 4 2.5 20h19L12 4M12 10v5M12 17.5v.01",
  more: "M5 12v.01M12 12v.01M19 12v.01",
  play: "M7 4.5v15l12-7.5-12-7.5",
  stop: "M6 6h12v12H6V6",
} as const;

export type IconName = keyof typeof shapes;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === "more" ? 3 : 1.9}
      strokeLinecap="round"
      strokeLinejoin="round"
      style={{ flexShrink: 0 }}
    >
      <path d={shapes[name]} />
    </svg>
  );
}
