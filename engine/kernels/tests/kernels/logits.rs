//! The largest logits of a row, and the logarithm of its sum.

use half::bf16;
use tenora_kernels::abi::{ArgmaxParams, Element, RowSummary, TOP_K_MAX, TopKParams, launch};

use crate::support::{Number, Random, assert_close, memory, run, unwritten};

/// Tokens by their logits, largest first, lower tokens first among equals.
fn ranked<T: Number>(row: &[T]) -> Vec<u32> {
    let mut tokens: Vec<u32> = (0..row.len() as u32).collect();
    tokens.sort_by(|a, b| {
        let [x, y] = [a, b].map(|token| row[*token as usize].value());
        y.total_cmp(&x).then(a.cmp(b))
    });
    tokens
}

fn log_sum_exp<T: Number>(row: &[T], inverse_temperature: f64) -> f64 {
    let scaled: Vec<f64> = row.iter().map(|x| x.value() * inverse_temperature).collect();
    let largest = scaled.iter().copied().fold(f64::MIN, f64::max);
    largest + scaled.iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
}

fn argmax<T: Number>(logits: &[T], (rows, vocab, stride): (usize, usize, usize)) -> Vec<RowSummary> {
    let logits = memory(logits);
    let summaries = memory(&vec![RowSummary::default(); rows]);
    let params = ArgmaxParams {
        logits: logits.address(),
        summaries: summaries.address(),
        rows: rows as u32,
        vocab: vocab as u32,
        stride: stride as u32,
    };
    run(launch::argmax(&params, T::ELEMENT), &params);
    summaries.to_vec()
}

struct Top {
    ids: Vec<u32>,
    values: Vec<f32>,
    summaries: Vec<RowSummary>,
}

fn top_k<T: Number>(
    logits: &[T],
    (rows, vocab, stride): (usize, usize, usize),
    k: usize,
    temperatures: Option<&[f32]>,
) -> Top {
    let logits = memory(logits);
    let temperatures = temperatures.map(memory);
    let (ids, values) = (memory(&vec![u32::MAX; rows * k]), unwritten::<f32>(rows * k));
    let summaries = memory(&vec![RowSummary::default(); rows]);
    let params = TopKParams {
        logits: logits.address(),
        inverse_temperatures: temperatures.as_ref().map_or(0, |t| t.address()),
        ids: ids.address(),
        values: values.address(),
        summaries: summaries.address(),
        rows: rows as u32,
        vocab: vocab as u32,
        stride: stride as u32,
        k: k as u32,
    };
    run(launch::top_k(&params, T::ELEMENT), &params);
    Top { ids: ids.to_vec(), values: values.to_vec(), summaries: summaries.to_vec() }
}

fn finds_the_largest<T: Number>() {
    let mut random = Random::new(9);
    for (vocab, stride) in
        [(1, 1), (40, 40), (513, 513), (520, 528), (2000, 2003), (4096, 4096), (49152, 49152)]
    {
        let rows = 2;
        let logits: Vec<T> = (0..rows * stride).map(|_| T::of(random.number() * 8.0)).collect();
        let shape = (rows, vocab, stride);
        let greedy = argmax(&logits, shape);
        let temperatures = [0.5f32, 2.0];
        for k in [1, 5, TOP_K_MAX] {
            let k = k.min(vocab);
            let top = top_k(&logits, shape, k, (k != 5).then_some(&temperatures));
            for row in 0..rows {
                let numbers = &logits[row * stride..][..vocab];
                let want = ranked(numbers);
                assert_eq!(top.ids[row * k..][..k], want[..k], "of {vocab}");
                let values: Vec<f64> = want[..k].iter().map(|id| numbers[*id as usize].value()).collect();
                assert_close(&top.values[row * k..][..k], &values, (0.0, 0.0));
                let temperature = if k == 5 { 1.0 } else { f64::from(temperatures[row]) };
                for (summary, temperature) in [(greedy[row], 1.0), (top.summaries[row], temperature)] {
                    assert_eq!((summary.token, summary.finite), (want[0], 1));
                    assert_eq!(f64::from(summary.max), values[0]);
                    let got = [summary.log_sum_exp];
                    assert_close(&got, &[log_sum_exp(numbers, temperature)], (64.0, 1.0));
                }
            }
        }
    }
}

#[test]
fn the_largest_logits_are_found() {
    finds_the_largest::<f32>();
    finds_the_largest::<bf16>();
}

#[test]
fn equals_are_told_apart_by_their_tokens() {
    for vocab in [64, 700, 3001] {
        let top = top_k(&vec![-0.25f32; vocab], (1, vocab, vocab), 64, None);
        assert_eq!(top.ids, (0..64).collect::<Vec<u32>>());
        let zeros: Vec<f32> = (0..vocab).map(|i| if i % 2 == 0 { -0.0 } else { 0.0 }).collect();
        assert_eq!(top_k(&zeros, (1, vocab, vocab), 64, None).ids, top.ids);
        assert_eq!(argmax(&zeros, (1, vocab, vocab))[0].token, 0);
    }
}

/// Most of the largest logits are with a few threads, so that more candidates come than a block can sort.
#[test]
fn crowded_rows_are_searched() {
    let mut random = Random::new(3);
    let vocab = 10_241;
    let loud = |token: usize| if (token + 16) % 512 < 32 { 5.0 } else { 0.0 };
    let logits: Vec<f32> = (0..4 * vocab).map(|i| (loud(i % vocab) + random.number()) as f32).collect();
    let top = top_k(&logits, (4, vocab, vocab), TOP_K_MAX, None);
    for (ids, row) in top.ids.chunks_exact(TOP_K_MAX).zip(logits.chunks_exact(vocab)) {
        assert_eq!(*ids, ranked(row)[..TOP_K_MAX]);
    }
}

#[test]
fn what_is_forbidden_is_a_number_and_comes_last() {
    let mut logits = vec![f32::NEG_INFINITY; 1000];
    (logits[998], logits[7]) = (1.0, 1.0);
    let greedy = argmax(&logits, (1, 1000, 1000))[0];
    assert_eq!((greedy.token, greedy.finite, greedy.max), (7, 1, 1.0));
    assert!((greedy.log_sum_exp - (1.0 + 2f32.ln())).abs() < 1e-6);
    let top = top_k(&logits, (1, 1000, 1000), 3, None);
    assert_eq!((top.ids, top.summaries[0].finite), (vec![7, 998, 0], 1));
    assert_eq!(top.values, [1.0, 1.0, f32::NEG_INFINITY]);
}

#[test]
fn rows_that_are_no_numbers_are_named() {
    for odd in [f32::NAN, f32::INFINITY] {
        for place in [0, 77, 999] {
            let mut logits = vec![1f32; 2000];
            logits[1000 + place] = odd;
            let greedy = argmax(&logits, (2, 1000, 1000));
            let top = top_k(&logits, (2, 1000, 1000), 3, None);
            assert_eq!(greedy.iter().map(|s| s.finite).collect::<Vec<_>>(), [1, 0]);
            assert_eq!(top.summaries.iter().map(|s| s.finite).collect::<Vec<_>>(), [1, 0]);
        }
    }
    assert_eq!(argmax(&vec![f32::NAN; 600], (1, 600, 600))[0].finite, 0);
    assert_eq!(top_k(&vec![f32::NAN; 600], (1, 600, 600), 64, None).summaries[0].finite, 0);
    assert_eq!(Element::F32.bytes(), 4);
}
