// Density and calm: small type, thin lines, one accent.
import { Button, createTheme, Modal, SegmentedControl, Table, Tooltip } from "@mantine/core";

export const theme = createTheme({
  colors: {
    // Mantine's own greys are warm; these go with the accent.
    dark: [
      "#e3e6ec",
      "#c3c9d4",
      "#a6adbb",
      "#858d9d",
      "#3a4150",
      "#2b303b",
      "#20242d",
      "#171a21",
      "#101217",
      "#0b0d11",
    ],
  },
  primaryColor: "indigo",
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: 6,
  cursorType: "pointer",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  fontFamilyMonospace: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace",
  fontSizes: { xs: "12px", sm: "13px", md: "14px", lg: "16px", xl: "20px" },
  headings: {
    fontWeight: "600",
    sizes: { h1: { fontSize: "20px" }, h2: { fontSize: "15px" }, h3: { fontSize: "13px" } },
  },
  components: {
    Button: Button.extend({ defaultProps: { size: "xs" } }),
    Modal: Modal.extend({ defaultProps: { centered: true, closeButtonProps: { "aria-label": "Close" } } }),
    SegmentedControl: SegmentedControl.extend({
      styles: {
        root: { background: "light-dark(var(--mantine-color-gray-2), var(--mantine-color-dark-6))" },
      },
    }),
    Table: Table.extend({ defaultProps: { verticalSpacing: 7, horizontalSpacing: "sm" } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 200, withArrow: true } }),
  },
});
