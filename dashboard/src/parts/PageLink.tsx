import { Anchor, type AnchorProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import type { ComponentProps, Ref } from "react";

type Props = Omit<AnchorProps, "href"> & ComponentProps<"a"> & { ref?: Ref<HTMLAnchorElement> };

/** A link to a page of the dashboard, whose address and parameters are checked as types. */
export const PageLink = createLink((props: Props) => <Anchor size="sm" {...props} />);
