//! One event as one line of a write-ahead file: the CRC-32 of its JSON in eight hex digits, a space, the JSON, a line break.
//! JSON text has no line breaks of its own, so that a reader finds the next line after any damage.

use tenora_adapter_store::UsageEvent;

const CRC_CHARS: usize = 8;

/// What a line turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Line {
    /// An event.
    Event(Box<UsageEvent>),
    /// Torn or overwritten: its checksum is wrong.
    Damaged,
    /// Whole, but of another program's making.
    Foreign,
}

/// Adds an event's line.
pub(super) fn write(out: &mut Vec<u8>, event: &UsageEvent) -> serde_json::Result<()> {
    let json = serde_json::to_vec(event)?;
    out.extend_from_slice(format!("{:08x} ", crc32fast::hash(&json)).as_bytes());
    out.extend_from_slice(&json);
    out.push(b'\n');
    Ok(())
}

/// Reads a line, given without its line break.
pub(super) fn read(line: &[u8]) -> Line {
    let Some((crc, rest)) = line.split_at_checked(CRC_CHARS) else { return Line::Damaged };
    let written = std::str::from_utf8(crc).ok().and_then(|crc| u32::from_str_radix(crc, 16).ok());
    match rest.strip_prefix(b" ") {
        Some(json) if written == Some(crc32fast::hash(json)) => {
            serde_json::from_slice(json).map_or(Line::Foreign, Line::Event)
        }
        _ => Line::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tenora_adapter_store::{AdapterName, Credential, Outcome, Subject, VersionNumber};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::metering::tests::tenant;

    /// What the bound of the files' size counts with.
    const MAX_LINE_BYTES: usize = 4 << 10;

    fn event(subject: &str, adapter: Option<String>, tokens: [u32; 3]) -> UsageEvent {
        UsageEvent {
            id: Uuid::now_v7(),
            tenant: tenant(),
            credential: Credential::Subject(Subject::of(subject)),
            adapter: adapter.map(|name| {
                (AdapterName::parse(&name).expect("a name"), VersionNumber::parse("7").expect("a number"))
            }),
            outcome: Outcome::CutOff,
            started_at: OffsetDateTime::now_utc(),
            input_tokens: tokens[0],
            cached_tokens: tokens[1],
            output_tokens: tokens[2],
            ttft_ms: None,
            duration_ms: u32::MAX,
        }
    }

    proptest! {
        #[test]
        fn an_event_reads_back_from_one_short_line(
            subject in any::<String>(),
            adapter in proptest::option::of("[a-z0-9][a-z0-9._-]{0,63}"),
            tokens in any::<[u32; 3]>(),
        ) {
            let event = event(&subject, adapter, tokens);
            let mut line = Vec::new();
            write(&mut line, &event).expect("JSON");
            prop_assert!(line.len() <= MAX_LINE_BYTES);
            prop_assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            prop_assert_eq!(read(&line[..line.len() - 1]), Line::Event(Box::new(event)));
        }

        #[test]
        fn one_wrong_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1u8..=255) {
            let mut line = Vec::new();
            write(&mut line, &event("somebody", None, [1, 2, 3])).expect("JSON");
            line.pop();
            let at = at.index(line.len());
            line[at] ^= flip;
            // Upper-case digits are another spelling of the same checksum.
            if at >= CRC_CHARS {
                prop_assert_eq!(read(&line), Line::Damaged);
            }
        }

        #[test]
        fn nothing_makes_the_reader_fall_over(bytes in any::<Vec<u8>>()) {
            prop_assert!(!matches!(read(&bytes), Line::Event(_)));
        }
    }
}
