// Colours that stand apart in charts, on light and dark ground, also for the colour-blind when used in this order.
export const colours = [
  "#4c6ef5",
  "#12a594",
  "#f08c00",
  "#d6409f",
  "#6e56cf",
  "#30a46c",
  "#c2591f",
  "#0c8ce9",
] as const;
export const colour = (index: number) => colours[index % colours.length] ?? colours[0];
export const rest = "#8b93a1";
export const bad = "#e5484d";
