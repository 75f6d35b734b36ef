//! What each setting promises, on logits small enough to reckon by hand.

use proptest::prelude::*;

use super::*;

fn settings(change: impl FnOnce(&mut Sampling)) -> Sampling {
    let mut sampling = Sampling { temperature: 1.0, ..Sampling::default() };
    change(&mut sampling);
    sampling
}

fn draw(position: usize) -> Draw {
    Draw { seed: 7, choice: 0, position }
}

fn chosen(logits: &[f32], sampling: &Sampling, position: usize) -> u32 {
    sample(NextLogits::Row(&mut logits.to_vec()), None, sampling, (&[], &[]), draw(position)).unwrap().token
}

/// Every token that 2,000 draws choose, ascending, with how often.
fn drawn(logits: &[f32], sampling: &Sampling) -> Vec<usize> {
    let mut counts = vec![0; logits.len()];
    for position in 0..2000 {
        counts[chosen(logits, sampling, position) as usize] += 1;
    }
    counts
}

#[test]
fn temperature_zero_is_greedy_and_ties_go_to_the_first() {
    let greedy = settings(|s| s.temperature = 0.0);
    assert_eq!(chosen(&[0.0, 3.0, 3.0, 1.0], &greedy, 0), 1);
}

#[test]
fn draws_follow_the_probabilities() {
    // Probabilities 0.75 and 0.25.
    let counts = drawn(&[3f32.ln(), 0.0], &settings(|_| ()));
    assert!((1400..1600).contains(&counts[0]), "{counts:?}");
    // Halving the temperature squares the odds: 0.9 and 0.1.
    let counts = drawn(&[3f32.ln(), 0.0], &settings(|s| s.temperature = 0.5));
    assert!((1740..1860).contains(&counts[0]), "{counts:?}");
}

#[test]
fn top_k_top_p_and_min_p_cut_the_tail() {
    // Probabilities 0.4, 0.3, 0.2, 0.1.
    let logits = [0.1f32.ln(), 0.4f32.ln(), 0.2f32.ln(), 0.3f32.ln()];
    let kinds = |sampling: &Sampling| -> Vec<bool> {
        drawn(&logits, sampling).into_iter().map(|count| count > 0).collect()
    };
    assert_eq!(kinds(&settings(|_| ())), [true; 4]);
    assert_eq!(kinds(&settings(|s| s.top_k = 1)), [false, true, false, false]);
    assert_eq!(kinds(&settings(|s| s.top_k = 2)), [false, true, false, true]);
    assert_eq!(kinds(&settings(|s| s.top_p = 0.39)), [false, true, false, false]);
    assert_eq!(kinds(&settings(|s| s.top_p = 0.65)), [false, true, false, true]);
    assert_eq!(kinds(&settings(|s| s.min_p = 0.45)), [false, true, true, true]);
    assert_eq!(kinds(&settings(|s| s.min_p = 1.0)), [false, true, false, false]);
}

#[test]
fn penalties_and_bias_move_logits() {
    let greedy = |change: fn(&mut Sampling)| {
        settings(|s| {
            s.temperature = 0.0;
            change(s);
        })
    };
    let choose = |sampling: &Sampling, prompt: &[u32], output: &[u32]| {
        sample(NextLogits::Row(&mut [2.0, 1.5, -1.0]), None, sampling, (prompt, output), draw(0))
            .unwrap()
            .token
    };
    let presence = greedy(|s| s.presence_penalty = 0.6);
    assert_eq!(choose(&presence, &[0], &[]), 0, "the prompt is not counted");
    assert_eq!(choose(&presence, &[], &[0]), 1);
    let frequency = greedy(|s| s.frequency_penalty = 0.3);
    assert_eq!(choose(&frequency, &[], &[0]), 0);
    assert_eq!(choose(&frequency, &[], &[0, 0]), 1);
    let repetition = greedy(|s| s.repetition_penalty = 1.5);
    assert_eq!(choose(&repetition, &[0], &[]), 1, "the prompt is counted");
    let bias = greedy(|s| s.logit_bias = vec![(2, 100.0), (0, -100.0), (999, 1.0)]);
    assert_eq!(choose(&bias, &[], &[]), 2);
}

#[test]
fn log_probabilities_are_of_the_unmodified_distribution() {
    let sampling = settings(|s| {
        s.temperature = 0.0;
        s.logprobs = Some(2);
        s.logit_bias = vec![(0, 100.0)];
    });
    let answer = sample(
        NextLogits::Row(&mut [0.0, 3f32.ln(), f32::NEG_INFINITY]),
        None,
        &sampling,
        (&[], &[]),
        draw(0),
    )
    .unwrap();
    let (own, top) = answer.logprobs.unwrap();
    assert_eq!(answer.token, 0);
    assert!((own - 0.25f32.ln()).abs() < 1e-6);
    assert_eq!(top.iter().map(|t| t.0).collect::<Vec<_>>(), [1, 0]);
    assert!((top[0].1 - 0.75f32.ln()).abs() < 1e-6);
}

#[test]
fn a_draw_depends_on_seed_choice_and_position_alone() {
    let number = |seed, choice, position| Draw { seed, choice, position }.number();
    assert_eq!(number(1, 0, 5), number(1, 0, 5));
    for other in [number(2, 0, 5), number(1, 1, 5), number(1, 0, 6)] {
        assert_ne!(number(1, 0, 5), other);
    }
}

#[test]
fn logits_that_are_no_numbers_choose_nothing() {
    for bad in [f32::NAN, f32::INFINITY] {
        let row = NextLogits::Row(&mut [0.0, bad]);
        assert_eq!(sample(row, None, &settings(|_| ()), (&[], &[]), draw(0)), Err(NoToken::NotFinite));
    }
}

#[test]
fn only_what_is_allowed_is_chosen_and_log_probabilities_do_not_notice() {
    let mut logits = [0.0; 70];
    logits[3] = 9.0;
    let allowed = Allowed(vec![0, 1 << 2]);
    for temperature in [0.0, 2.0] {
        let sampling = settings(|s| {
            (s.temperature, s.logprobs) = (temperature, Some(1));
            s.logit_bias = vec![(3, 100.0)];
        });
        let answer =
            sample(NextLogits::Row(&mut logits.clone()), Some(&allowed), &sampling, (&[], &[]), draw(0))
                .unwrap();
        assert_eq!(answer.token, 34);
        let (own, top) = answer.logprobs.unwrap();
        assert_eq!(top[0].0, 3, "the likeliest of all, allowed or not");
        assert!((own - top[0].1 + 9.0).abs() < 1e-6);
        let nothing = Allowed(vec![0; 2]);
        assert_eq!(
            sample(NextLogits::Row(&mut logits.clone()), Some(&nothing), &sampling, (&[], &[]), draw(0)),
            Err(NoToken::NothingLeft)
        );
    }
}

#[test]
fn tokens_without_any_probability_are_never_drawn() {
    let mut logits = vec![f32::NEG_INFINITY; 40];
    (logits[7], logits[9]) = (-80.0, -81.0);
    let counts = drawn(&logits, &settings(|s| s.temperature = 2.0));
    assert_eq!(counts[7] + counts[9], 2000);
}

/// The largest of a row, as a runner finds them.
fn sample_of_the_largest(row: &[f32], sampling: &Sampling, position: usize) -> Result<Chosen, NoToken> {
    let Wanted::Top(count) = wanted(sampling, false) else { return Err(NoToken::TooFew) };
    let mut ranked: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap().then(a.0.cmp(&b.0)));
    let (tokens, logits): (Vec<u32>, Vec<f32>) = ranked.into_iter().take(count).unzip();
    let log_sum_exp = row.iter().map(|logit| logit.exp()).sum::<f32>().ln();
    let top = TopLogits { tokens: &tokens, logits: &logits, log_sum_exp, finite: true };
    sample(NextLogits::Top(top), None, sampling, (&[], &[]), draw(position))
}

#[test]
fn what_changes_logits_wants_them_all() {
    assert_eq!(wanted(&settings(|s| s.temperature = 0.0), false), Wanted::Top(1));
    assert_eq!(wanted(&settings(|s| (s.temperature, s.logprobs) = (0.0, Some(20))), false), Wanted::Top(20));
    assert_eq!(wanted(&settings(|s| (s.top_k, s.logprobs) = (40, Some(5))), false), Wanted::Top(40));
    let greedy_but = |change: fn(&mut Sampling)| {
        settings(|s| {
            s.temperature = 0.0;
            change(s);
        })
    };
    for sampling in [
        settings(|_| ()),
        settings(|s| s.top_k = 65),
        greedy_but(|s| s.logit_bias = vec![(1, 1.0)]),
        greedy_but(|s| s.presence_penalty = 0.1),
        greedy_but(|s| s.frequency_penalty = -0.1),
        greedy_but(|s| s.repetition_penalty = 1.1),
    ] {
        assert_eq!(wanted(&sampling, false), Wanted::Row);
        let (tokens, logits) = (&[1], &[1.0]);
        let top = TopLogits { tokens, logits, log_sum_exp: 1.0, finite: true };
        let chosen = sample(NextLogits::Top(top), None, &sampling, (&[], &[]), draw(0));
        assert_eq!(chosen, Err(NoToken::TooFew), "and takes no others");
    }
    assert_eq!(wanted(&settings(|s| s.temperature = 0.0), true), Wanted::Row, "a format forbids tokens");
}

#[test]
fn rows_that_are_no_numbers_choose_nothing_from_their_largest() {
    let greedy = settings(|s| s.temperature = 0.0);
    let choose = |logit: f32, finite: bool| {
        let top = TopLogits { tokens: &[3], logits: &[logit], log_sum_exp: logit, finite };
        sample(NextLogits::Top(top), None, &greedy, (&[], &[]), draw(0))
    };
    assert_eq!(choose(1.0, false), Err(NoToken::NotFinite));
    assert_eq!(choose(f32::NEG_INFINITY, true), Err(NoToken::NothingLeft));
    assert_eq!(choose(1.0, true), Ok(Chosen { token: 3, logprobs: None }));
}

/// [`draw_one`] with everything sorted first.
fn drawn_from_all_sorted(row: &[f32], sampling: &Sampling, draw: Draw) -> u32 {
    let mut ranked: Vec<(u32, f32)> = (0..).zip(row.iter().copied()).collect();
    ranked.sort_by(descending);
    let weigh = |logit: f32| f64::from(((logit - ranked[0].1) / sampling.temperature).exp());
    let mut weights: Vec<f64> = ranked.iter().map(|(_, logit)| weigh(*logit)).collect();
    let total: f64 = weights.iter().sum();
    let mut before = 0.0;
    let inside = weights.iter().take_while(|weight| {
        let inside = before < f64::from(sampling.top_p) * total && **weight >= f64::from(sampling.min_p);
        before += **weight;
        inside
    });
    let kept = inside.count();
    weights.truncate(kept);
    let mut left = draw.number() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    ranked[drawn.unwrap_or(kept - 1)].0
}

proptest! {
    #[test]
    fn sorting_as_far_as_somebody_looks_is_sorting(
        row in proptest::collection::vec((-640i32..640).prop_map(|n| n as f32 / 64.0), 1..2000),
        (top_p, min_p) in (prop_oneof![Just(1.0), 0.1f32..=1.0], prop_oneof![Just(0.0), 0f32..=1.0]),
        temperature in 0.1f32..20.0,
    ) {
        let sampling = Sampling { temperature, top_p, min_p, ..Sampling::default() };
        for position in 0..8 {
            let all_sorted = drawn_from_all_sorted(&row, &sampling, draw(position));
            prop_assert_eq!(chosen(&row, &sampling, position), all_sorted);
        }
    }

    #[test]
    fn the_largest_logits_say_what_the_row_says(
        row in proptest::collection::vec(prop_oneof![(-576i32..576).prop_map(|n| n as f32 / 64.0), Just(0.0), Just(-0.0)], 1..90),
        (temperature, top_p, min_p) in (prop_oneof![Just(0.0), 0.1f32..2.0], 0.1f32..=1.0, 0f32..0.5),
        (top_k, logprobs) in (1u32..=64, proptest::option::of(0u8..=20)),
    ) {
        let sampling = Sampling { temperature, top_p, min_p, top_k, logprobs, ..Sampling::default() };
        for position in 0..4 {
            let all = sample(NextLogits::Row(&mut row.clone()), None, &sampling, (&[], &[]), draw(position)).unwrap();
            let largest = sample_of_the_largest(&row, &sampling, position).unwrap();
            prop_assert_eq!(all.token, largest.token);
            let told = |chosen: Chosen| chosen.logprobs.map(|(own, top)| {
                (own, top.into_iter().unzip::<_, _, Vec<u32>, Vec<f32>>())
            });
            let (all, largest) = (told(all), told(largest));
            prop_assert_eq!(all.is_some(), largest.is_some());
            let ((own, (tokens, logprobs)), (other, (others, other_logprobs))) = match (all, largest) {
                (Some(all), Some(largest)) => (all, largest),
                _ => continue,
            };
            prop_assert_eq!(tokens, others);
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4;
            prop_assert!(near((&own, &other)) && logprobs.iter().zip(&other_logprobs).all(near));
        }
    }

    #[test]
    fn whatever_the_settings_some_token_is_chosen(
        logits in proptest::collection::vec(-50f32..50.0, 1..40),
        (temperature, top_p, min_p) in (0f32..2.0, 0.01f32..=1.0, 0f32..=1.0),
        top_k in 0u32..50,
    ) {
        let sampling = Sampling { temperature, top_p, min_p, top_k, ..Sampling::default() };
        let answer = sample(NextLogits::Row(&mut logits.clone()), None, &sampling, (&[], &[]), draw(3)).unwrap();
        prop_assert!((answer.token as usize) < logits.len());
    }
}
