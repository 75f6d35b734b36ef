//! Fair between tenants: the bound, the weights, no burst, nothing wasted; and prompts that do not hold up decodes.

use super::{
    fake::{Asked, Bench, Outcome, Reader, Setup, answer_of},
    *,
};
use crate::request::CacheDomain;

/// A tenant that always has this many requests in progress.
struct Greedy {
    asked: Asked,
    readers: Vec<Reader>,
    tokens: usize,
    serial: u32,
}

impl Greedy {
    fn new(tenant: u128, requests: usize, (prompt, most): (usize, u32)) -> Self {
        let prompt = (0..prompt as u32).map(|t| 1 + (t * 7 + tenant as u32) % 90).collect();
        let asked = Asked { prompt, most, tenant, ..Asked::default() };
        Self { asked, readers: Vec::with_capacity(requests), tokens: 0, serial: 0 }
    }

    fn refill(&mut self, bench: &mut Bench) {
        let mut tokens = 0;
        self.readers.retain_mut(|reader| {
            let (new, outcome) = reader.outcome();
            tokens += new.len();
            assert!(!matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
            matches!(outcome, Outcome::Open)
        });
        self.tokens += tokens;
        while self.readers.len() < self.readers.capacity() {
            // No prompt comes twice, or the cache would answer.
            self.serial += 1;
            let digits = [self.serial, self.serial / 80, self.serial / 6400].map(|digit| 1 + digit % 80);
            self.asked.prompt.iter_mut().zip(digits).for_each(|(token, digit)| *token = digit);
            self.readers.push(bench.ask(&self.asked));
        }
    }
}

fn service(bench: &Bench, tenant: u128) -> f64 {
    bench.stepper.fair.counter(CacheDomain(tenant)).units()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn two_tenants_that_always_have_work_stay_within_the_bound(
        sizes in proptest::array::uniform2((1usize..70, 1u32..40)),
        weights in proptest::array::uniform2(1u32..4),
        sequences in 2usize..8,
        rows in 8usize..40,
        // Fewer would make both compute again, most of the time, what they had to put down for each other.
        blocks in 60usize..200,
    ) {
        let mut bench = Setup { blocks, rows, sequences, ..Setup::default() }.start();
        let mut tenants = [1, 2].map(|tenant| Greedy::new(tenant, 2 * sequences, sizes[tenant as usize - 1]));
        let longest = sizes.iter().map(|(prompt, most)| prompt + *most as usize).max().unwrap();
        for (tenant, weight) in tenants.iter_mut().zip(weights) {
            tenant.asked.weight = weight;
        }
        for _ in 0..600 {
            tenants.iter_mut().for_each(|tenant| tenant.refill(&mut bench));
            prop_assert_eq!(bench.step(), Progress::Worked);
            let (one, other) = (service(&bench, 1), service(&bench, 2));
            let weight = if one > other { weights[0] } else { weights[1] };
            let bound = (2 * sequences * longest) as f64 / f64::from(weight);
            prop_assert!((one - other).abs() <= bound, "{one} and {other}, more than {bound} apart");
        }
        // How much they get done is another question, and little where the pool is small.
        let least = tenants.iter().map(|tenant| tenant.tokens).min().unwrap();
        prop_assert!(least > 2, "{least} tokens");
    }
}

#[test]
fn a_trial_pays_for_its_load_and_an_ordinary_request_does_not() {
    let paid = |trial: bool, loaded_before: bool| {
        let target = Duration::from_micros(1);
        let mut bench = Setup { target, ..Setup::default() }.start();
        let asked = Asked { prompt: vec![1, 2, 3], adapter: Some(0), most: 50, ..Asked::default() };
        if loaded_before {
            let _warm = bench.ask(&Asked { tenant: 2, most: 1, ..asked.clone() });
            bench.run_until_idle();
        }
        let before = service(&bench, 1);
        let mut reader = bench.ask(&Asked { trial, ..asked });
        while reader.read().1.is_empty() {
            bench.step_or_wait();
        }
        service(&bench, 1) - before
    };
    // Three rows and a token, each dearer by the adapter's share of a hundredth.
    let ordinary = paid(false, false);
    assert!((ordinary - 4.04).abs() < 0.001, "{ordinary}");
    assert!((paid(true, true) - ordinary).abs() < 0.001, "it was there");
    // A row is taken for a thirty-second part of the target, and a load takes longer.
    assert!(paid(true, false) > ordinary + 0.1, "{} and {ordinary}", paid(true, false));
}

#[test]
fn tokens_are_shared_by_weight_and_not_by_the_number_or_size_of_requests() {
    for (weight, prompts) in [(1, (40, 2)), (3, (10, 10))] {
        let mut bench = Setup { blocks: 400, rows: 32, sequences: 8, ..Setup::default() }.start();
        let mut few = Greedy::new(1, 9, (10, 10));
        let mut many = Greedy::new(2, 40, prompts);
        many.asked.weight = weight;
        for _ in 0..1500 {
            few.refill(&mut bench);
            many.refill(&mut bench);
            bench.step();
        }
        // Prompt rows count as well: one each, and two for a token; the first one's row is the prompt's.
        let units = |tenant: &Greedy| {
            let (prompt, most) = (tenant.asked.prompt.len() as f64, f64::from(tenant.asked.most));
            tenant.tokens as f64 * (prompt + 2.0 * most - 1.0) / most
        };
        let ratio = units(&many) / units(&few);
        let wanted = f64::from(weight);
        assert!((wanted * 0.8..wanted * 1.25).contains(&ratio), "{ratio} for a weight of {weight}");
    }
}

/// Nothing of theirs waits: what the greedy one takes from them is the length of their steps.
#[test]
fn tenants_with_few_sequences_get_as_many_tokens_as_one_with_many() {
    let mut bench = Setup { blocks: 1000, rows: 64, sequences: 32, ..Setup::default() }.start();
    let mut normal = [1, 2, 3].map(|tenant| Greedy::new(tenant, 4, (20, 20)));
    let mut greedy = Greedy::new(4, 40, (20, 20));
    for _ in 0..1000 {
        normal.iter_mut().for_each(|tenant| tenant.refill(&mut bench));
        greedy.refill(&mut bench);
        bench.step();
    }
    for tenant in normal {
        let share = tenant.tokens as f64 / greedy.tokens as f64;
        assert!((0.9..1.2).contains(&share), "{} tokens beside {}", tenant.tokens, greedy.tokens);
    }
}

/// One stream must not cost the others their batch: rows that make no step longer are theirs.
#[test]
fn beside_a_single_stream_a_batch_goes_on() {
    let mut bench = Setup { blocks: 1000, rows: 64, sequences: 32, ..Setup::default() }.start();
    let (mut single, mut many) = (Greedy::new(1, 1, (20, 20)), Greedy::new(2, 40, (20, 20)));
    for _ in 0..500 {
        single.refill(&mut bench);
        many.refill(&mut bench);
        bench.step();
    }
    assert!(single.tokens > 400, "{} tokens in 500 steps", single.tokens);
    assert!(many.tokens > 4 * single.tokens, "{} and {} tokens", many.tokens, single.tokens);
}

#[test]
fn one_with_a_thousand_requests_does_not_keep_another_waiting() {
    let mut bench = Setup { blocks: 400, rows: 32, sequences: 8, ..Setup::default() }.start();
    let mut greedy = Greedy::new(1, 100, (20, 60));
    for round in 0..40 {
        for _ in 0..7 {
            greedy.refill(&mut bench);
            bench.step();
        }
        let asked = Asked { prompt: vec![round + 1, 2, 3], most: 5, tenant: 2, ..Asked::default() };
        let mut polite = bench.ask(&asked);
        let mut steps = 0;
        let mut tokens = Vec::new();
        while tokens.len() < 5 {
            bench.step();
            greedy.refill(&mut bench);
            tokens.extend(polite.read().1);
            steps += 1;
            assert!(steps <= 6, "{steps} steps for {tokens:?}, alone it takes 5");
        }
        assert_eq!(tokens, answer_of(&asked));
    }
    assert!(greedy.tokens > 1500, "{} tokens: the others' pauses are the greedy one's", greedy.tokens);
    let stats = bench.stepper.stats();
    assert!(stats.preemptions <= 2 * 40, "{} places changed hands for 40 requests", stats.preemptions);
}

#[test]
fn who_returns_from_idling_gets_no_saved_up_burst() {
    let mut bench = Setup { blocks: 400, rows: 32, sequences: 8, ..Setup::default() }.start();
    let mut always = Greedy::new(1, 20, (10, 10));
    for _ in 0..500 {
        always.refill(&mut bench);
        bench.step();
    }
    let mut back = Greedy::new(2, 20, (10, 10));
    let before = always.tokens;
    for _ in 0..60 {
        always.refill(&mut bench);
        back.refill(&mut bench);
        bench.step();
    }
    let (one, other) = (always.tokens - before, back.tokens);
    assert!(one * 3 >= other * 2 && other * 3 >= one * 2, "{one} and {other} tokens in 60 steps");
}

#[test]
fn one_alone_gets_everything() {
    let mut bench = Setup { blocks: 400, rows: 16, sequences: 8, ..Setup::default() }.start();
    // Somebody who was there before owns nothing of it.
    let _gone = bench.ask(&Asked { tenant: 2, ..Asked::default() });
    bench.run_until_idle();
    let mut alone = Greedy::new(1, 20, (30, 4));
    let before = bench.rows();
    for _ in 0..200 {
        alone.refill(&mut bench);
        bench.step();
    }
    assert!(bench.rows() - before > 190 * 16, "{} rows in 200 steps of 16", bench.rows() - before);
}

#[test]
fn prompts_beside_a_decode_get_what_the_target_leaves() {
    let target = Duration::from_millis(100);
    let mut bench = Setup { target, ..Setup::default() }.start();
    let mut short = bench.ask(&Asked { prompt: vec![1, 2], most: 60, ..Asked::default() });
    bench.step();
    let rows_of_a_step = |bench: &mut Bench| {
        // What the fake did in no time is taken for 10 ms a row.
        bench.stepper.budget = budget::Budget::new(target, 0.0);
        bench.stepper.budget.observe(10.0, 10.0, target);
        let before = bench.rows();
        bench.step();
        bench.rows() - before
    };
    let mut long = bench.ask(&Asked { prompt: vec![7; 150], most: 1, ..Asked::default() });
    assert_eq!(rows_of_a_step(&mut bench), 10, "the decode and 9 rows");
    assert_eq!(short.read().1.len(), 2);
    drop(short);
    assert_eq!(rows_of_a_step(&mut bench), 20, "nothing decodes");
    while long.read().1.is_empty() {
        rows_of_a_step(&mut bench);
    }
}

#[test]
fn sleeping_readers_hold_no_places() {
    let mut bench = Setup { blocks: 2000, sequences: 4, ..Setup::default() }.start();
    let endless = Asked { prompt: vec![5], most: 400, tenant: 1, ..Asked::default() };
    let _sleepers: Vec<Reader> = (0..4).map(|_| bench.ask(&endless)).collect();
    while bench.step() == Progress::Worked {}
    let fine = Asked { prompt: vec![1, 2], most: 20, tenant: 1, ..Asked::default() };
    let mut reader = bench.ask(&fine);
    while bench.step() == Progress::Worked {}
    assert_eq!(reader.read().1, answer_of(&fine));
}

/// A share below one place is still one place: else its work was taken away, and computed again, at every turn.
#[test]
fn a_small_tenant_beside_a_heavy_one_gets_on_in_a_small_pool() {
    let mut bench = Setup { blocks: 31, rows: 27, sequences: 3, ..Setup::default() }.start();
    let (mut heavy, mut small) = (Greedy::new(1, 6, (30, 12)), Greedy::new(2, 6, (54, 14)));
    heavy.asked.weight = 3;
    for _ in 0..600 {
        heavy.refill(&mut bench);
        small.refill(&mut bench);
        bench.step();
    }
    assert!(small.tokens > 20, "{} tokens in 600 steps", small.tokens);
}
