//! Batched decoding over any [`Decoder`]: the prompts of several texts enter as one run of tokens, each step gives every row that is not
//! done its next token, and rows that are done leave. A row's answer is the same alone and together. Here is greedy decoding; [`beams()`]
//! follows several answers at a time, [`among`] chooses one of a list, and [`Rules`] say what may come next whatever is likely.
//!
//! It knows no tensors. What a row has read so far is its cache, which belongs to the caller, not to the model.

mod among;
mod beams;
mod rules;

pub use self::among::among;
pub use self::beams::{Beams, Early, beams};
pub use self::rules::Rules;

use std::sync::MutexGuard;

use crate::batch;
use crate::error::{Error, Result};

/// A language model that reads tokens from left to right.
pub trait Decoder: Send + Sync {
    /// What a row has read so far.
    type Cache: Send;

    /// Tokens that a row may have in all.
    fn context(&self) -> usize;

    /// The cache of a row that has read nothing.
    fn cache(&self) -> Self::Cache;

    /// Tokens that are in a cache.
    fn length(&self, cache: &Self::Cache) -> usize;

    /// Forgets all but the first `length` tokens.
    fn truncate(&self, cache: &mut Self::Cache, length: usize);

    /// What a caller holds from its first cache to its last, where memory is for one caller at a time: a card's.
    fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        None
    }

    /// Reads each row's tokens after those in its cache. For each row the logits after its last tokens, as many as it asks for,
    /// one after the other; those of a row depend on that row alone.
    ///
    /// # Errors
    /// [`Error::Model`] when a row is longer than the context, a token is none, or there is another failure.
    fn forward(&self, rows: &mut [Row<'_, Self::Cache>]) -> Result<Vec<Vec<f32>>>;
}

/// A row's new tokens.
#[derive(Debug)]
pub struct Row<'a, C> {
    /// The tokens, one at least.
    pub ids: &'a [u32],
    /// What came before them; they are in it afterwards.
    pub cache: &'a mut C,
    /// After how many of the last tokens the logits are asked for.
    pub asked: usize,
}

/// When an answer is at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Tokens that end a turn.
    pub ends: Vec<u32>,
    /// Tokens of an answer at most.
    pub length: usize,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With a token that ends a turn.
    Turn,
    /// At its length, or where the context was full.
    Length,
}

/// What a decoder answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its tokens, without the one that ended the turn.
    pub ids: Vec<u32>,
    /// Why there are no more.
    pub ended: Ended,
}

/// The likeliest next token each time, for each of `prompts`; at most about `tokens` tokens are read at once, which changes no answer.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn greedy<D: Decoder>(
    decoder: &D,
    prompts: &[&[u32]],
    stop: &Stop,
    tokens: usize,
) -> Result<Vec<Answer>> {
    let mut answers = Vec::with_capacity(prompts.len());
    for range in batch::by_budget(prompts.iter().map(|prompt| prompt.len()), tokens) {
        let _turn = decoder.turn();
        let begun = prompts[range].iter().map(|prompt| Begun {
            cache: decoder.cache(),
            prompt,
        });
        let begun = begun.collect();
        answers.extend(greedy_after(decoder, begun, stop, &Rules::default())?);
    }
    Ok(answers)
}

/// A row that is to be answered.
#[derive(Debug)]
pub struct Begun<'a, C> {
    /// What it has read before its prompt: of an encoder-decoder model the text.
    pub cache: C,
    /// Its prompt, of one token at least.
    pub prompt: &'a [u32],
}

/// A row that is not done.
struct Live<'a, C> {
    /// Whose it is.
    row: usize,
    cache: C,
    prompt: &'a [u32],
    ids: Vec<u32>,
}

/// The same for rows that have perhaps read something, all at once, where `rules` say what may come next.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn greedy_after<D: Decoder>(
    decoder: &D,
    begun: Vec<Begun<'_, D::Cache>>,
    stop: &Stop,
    rules: &Rules,
) -> Result<Vec<Answer>> {
    let mut answers = vec![nothing(); begun.len()];
    if stop.length == 0 {
        return Ok(answers);
    }
    let begun = begun.into_iter().enumerate();
    let mut live: Vec<Live<'_, D::Cache>> = begun
        .map(|(row, Begun { cache, prompt })| Live {
            row,
            cache,
            prompt,
            ids: Vec::new(),
        })
        .collect();
    while !live.is_empty() {
        let mut rows: Vec<Row<'_, D::Cache>> = live
            .iter_mut()
            .map(|live| Row {
                ids: latest(live.prompt, &live.ids),
                cache: &mut live.cache,
                asked: 1,
            })
            .collect();
        let logits = decoder.forward(&mut rows)?;
        let mut still = Vec::with_capacity(live.len());
        for (mut live, mut logits) in live.into_iter().zip(logits) {
            numbers(&logits)?;
            rules.apply(stop, live.prompt, &live.ids, &mut logits);
            let next = likeliest(&logits);
            let ended = match stop.ends.contains(&next) {
                true => Some(Ended::Turn),
                false => {
                    live.ids.push(next);
                    (live.ids.len() >= stop.length).then_some(Ended::Length)
                }
            };
            let full = decoder.length(&live.cache) >= decoder.context();
            match ended.or(full.then_some(Ended::Length)) {
                None => still.push(live),
                Some(ended) => {
                    let ids = live.ids;
                    answers[live.row] = Answer { ids, ended };
                }
            }
        }
        live = still;
    }
    Ok(answers)
}

/// Refuses logits of which no word is the likeliest: what would be said would look like any other answer.
fn numbers(logits: &[f32]) -> Result<()> {
    let nan = logits.iter().any(|logit| logit.is_nan());
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    match !nan && top.is_finite() {
        true => Ok(()),
        false => Err(no_number()),
    }
}

/// The error of a model whose answer is no number.
pub(crate) fn no_number() -> Error {
    Error::Model(
        "the model's answer is no number: its weights are damaged, or not meant for this arithmetic"
            .to_owned(),
    )
}

/// What has not been read yet: the prompt, or what was said last.
fn latest<'a>(prompt: &'a [u32], said: &'a [u32]) -> &'a [u32] {
    match said.len() {
        0 => prompt,
        count => &said[count - 1..],
    }
}

/// The answer of which no token was asked.
fn nothing() -> Answer {
    Answer {
        ids: Vec::new(),
        ended: Ended::Length,
    }
}

/// The token of the largest logit; of equals the first.
fn likeliest(logits: &[f32]) -> u32 {
    // In lanes, as a processor finds it fast; then where it was.
    let mut tops = [f32::NEG_INFINITY; 16];
    for logits in logits.chunks(tops.len()) {
        for (top, logit) in tops.iter_mut().zip(logits) {
            *top = if *logit > *top { *logit } else { *top };
        }
    }
    let top = tops.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let place = logits.iter().position(|logit| *logit == top);
    place.unwrap_or(0) as u32
}

/// Decoders for tests, which know no network.
#[cfg(test)]
pub(crate) mod toy {
    use std::sync::{Mutex, PoisonError};

    use super::{Decoder, Row};
    use crate::error::Result;

    type Next = Box<dyn Fn(&[u32]) -> Vec<f32> + Send + Sync>;

    /// Says what `next` finds likely after all tokens that a row has read.
    pub struct Toy {
        context: usize,
        next: Next,
        /// How many tokens each row had, pass by pass.
        pub passes: Mutex<Vec<Vec<usize>>>,
    }

    impl Toy {
        pub fn new(
            context: usize,
            next: impl Fn(&[u32]) -> Vec<f32> + Send + Sync + 'static,
        ) -> Self {
            Self {
                context,
                next: Box::new(next),
                passes: Mutex::default(),
            }
        }
    }

    impl Decoder for Toy {
        type Cache = Vec<u32>;

        fn context(&self) -> usize {
            self.context
        }

        fn cache(&self) -> Vec<u32> {
            Vec::new()
        }

        fn length(&self, cache: &Vec<u32>) -> usize {
            cache.len()
        }

        fn truncate(&self, cache: &mut Vec<u32>, length: usize) {
            cache.truncate(length);
        }

        fn forward(&self, rows: &mut [Row<'_, Vec<u32>>]) -> Result<Vec<Vec<f32>>> {
            let lengths = rows.iter().map(|row| row.ids.len()).collect();
            let mut passes = self.passes.lock().unwrap_or_else(PoisonError::into_inner);
            passes.push(lengths);
            let logits = rows.iter_mut().map(|row| {
                row.cache.extend(row.ids);
                (self.next)(row.cache)
            });
            Ok(logits.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::toy::Toy;
    use super::*;

    const WORDS: u32 = 10;

    /// Says the number after the last token, modulo its words.
    fn counter() -> Toy {
        Toy::new(12, |tokens| {
            let next = tokens.last().map_or(0, |last| (last + 1) % WORDS);
            (0..WORDS).map(|word| f32::from(word == next)).collect()
        })
    }

    fn stop(ends: &[u32], length: usize) -> Stop {
        Stop {
            ends: ends.to_vec(),
            length,
        }
    }

    #[test]
    fn rows_enter_as_one_run_and_leave_when_they_are_done() {
        let counter = counter();
        let prompts: [&[u32]; 3] = [&[1, 1, 6], &[2], &[4, 4]];
        let answers = greedy(&counter, &prompts, &stop(&[8], 4), 100).unwrap();
        let found: Vec<(&[u32], Ended)> = answers.iter().map(|a| (&a.ids[..], a.ended)).collect();
        let expected: [(&[u32], Ended); 3] = [
            (&[7], Ended::Turn),
            (&[3, 4, 5, 6], Ended::Length),
            (&[5, 6, 7], Ended::Turn),
        ];
        assert_eq!(found, expected);
        let passes = counter.passes.lock().unwrap();
        let expected: [&[usize]; 4] = [&[3, 1, 2], &[1, 1, 1], &[1, 1], &[1, 1]];
        assert_eq!(*passes, expected);
    }

    #[test]
    fn few_tokens_at_once_give_the_same_answers() {
        let prompts: [&[u32]; 3] = [&[1, 1, 6], &[2], &[4, 4]];
        let answers = |tokens| {
            let stop = stop(&[8], 4);
            greedy(&counter(), &prompts, &stop, tokens).unwrap()
        };
        assert_eq!(answers(1), answers(100));
    }

    #[test]
    fn an_answer_ends_where_the_context_is_full_or_nothing_is_asked() {
        let answer = |length| {
            let stop = stop(&[], length);
            let answers = greedy(&counter(), &[&[0; 9]], &stop, 100).unwrap();
            answers[0].clone()
        };
        assert_eq!(answer(100).ids, [1, 2, 3, 4]);
        assert_eq!(answer(100).ended, Ended::Length);
        assert!(answer(0).ids.is_empty());
    }

    #[test]
    fn what_is_no_number_is_an_error_and_the_likeliest_is_found_in_any_lane() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let broken = Toy::new(12, move |tokens| match tokens.len() {
                1 => vec![0.0; 20],
                _ => vec![bad; 20],
            });
            let error = greedy(&broken, &[&[1]], &stop(&[], 4), 100).unwrap_err();
            assert!(error.to_string().contains("no number"), "{bad}: {error}");
        }
        for at in 0..40 {
            let mut logits = vec![-1.0; 40];
            logits[at] = 2.0;
            assert_eq!(likeliest(&logits), at as u32);
            logits[39] = 2.0;
            assert_eq!(likeliest(&logits), at as u32, "of equals the first");
        }
    }
}
