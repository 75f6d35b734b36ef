//! Stop strings across token borders: text that could still turn out to be the start of one is held back.

/// Watches one answer's text.
#[derive(Debug, Clone)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    /// A matcher for these strings; empty ones are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        Self { stops, held: String::new() }
    }

    /// Takes new text and returns what is certain by now, and whether a stop string was met: then the text before the
    /// first one is the last there is.
    pub(crate) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        let first = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min();
        if let Some(at) = first {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let certain = self.held.len() - self.suspicious();
        let rest = self.held.split_off(certain);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, when no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// Bytes at the end that are the beginning of a stop string.
    fn suspicious(&self) -> usize {
        let beginnings = self.stops.iter().flat_map(|stop| {
            stop.char_indices().map(|(at, _)| &stop[..at]).filter(|beginning| self.held.ends_with(*beginning))
        });
        beginnings.map(str::len).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matcher(stops: &[&str]) -> StopMatcher {
        StopMatcher::new(&stops.iter().map(|stop| (*stop).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_stop_string_across_pieces_never_shows() {
        let mut matcher = matcher(&["\n\n", "END"]);
        assert_eq!(matcher.push("one\n"), ("one".into(), false));
        assert_eq!(matcher.push("two E"), ("\ntwo ".into(), false));
        assert_eq!(matcher.push("N"), (String::new(), false));
        assert_eq!(matcher.push("T"), ("ENT".into(), false));
        assert_eq!(matcher.push("ENDless"), (String::new(), true));
    }

    #[test]
    fn what_is_held_back_comes_at_the_end() {
        let mut matcher = matcher(&["äb"]);
        assert_eq!(matcher.push("xä"), ("x".into(), false));
        assert_eq!(matcher.finish(), "ä");
    }

    #[test]
    fn without_stop_strings_nothing_is_held_back() {
        assert_eq!(matcher(&[""]).push("text"), ("text".into(), false));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[abä]{0,30}", stop in "[abä]{1,3}", cuts in proptest::collection::vec(0usize..30, 0..5)) {
            let mut matcher = matcher(&[&stop]);
            let mut shown = String::new();
            let mut stopped = false;
            let cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).filter(|c| text.is_char_boundary(*c)).collect();
            let mut bounds = [&[0, text.len()][..], &cuts].concat();
            bounds.sort_unstable();
            for pair in bounds.windows(2) {
                if !stopped {
                    let (new, met) = matcher.push(&text[pair[0]..pair[1]]);
                    shown += &new;
                    stopped = met;
                }
            }
            if !stopped {
                shown += &matcher.finish();
            }
            prop_assert_eq!(&shown, text.split(&stop).next().unwrap());
            prop_assert_eq!(stopped, text.contains(&stop));
        }
    }
}
