//! Beam search: several answers to each prompt are followed at a time, those whose tokens are likeliest together, and of those that came
//! to an end the likeliest for its length is taken. Step by step what transformers' `generate` computes (its `_beam_search`), in 32 bits
//! where it does; its beams without hope, which it keeps for their shape, are left out.

use super::{Answer, Begun, Decoder, Ended, Row, Rules, Stop, latest, nothing, numbers};
use crate::error::Result;

/// How answers are searched for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beams {
    /// Answers that are followed at a time.
    pub count: usize,
    /// Answers are compared by their log-likelihood over their length to this power: above 0 long ones are preferred.
    pub length_penalty: f64,
    /// When the search is over.
    pub early: Early,
}

/// When a search is over before all beams are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// As soon as as many answers came to an end as beams are followed.
    Full,
    /// When then no beam, as long as it is now, is better than the worst of them.
    Unlikely,
    /// When then no beam, as long as it may become, can be better than the worst of them.
    Impossible,
}

/// An answer that is followed.
struct Beam<C> {
    cache: C,
    ids: Vec<u32>,
    /// Log-likelihood of its tokens.
    score: f32,
}

/// An answer at its end.
struct Done {
    answer: Answer,
    score: f32,
}

/// The search for the answer to one prompt.
struct Search<'a, C> {
    /// Whose it is.
    row: usize,
    prompt: &'a [u32],
    live: Vec<Beam<C>>,
    /// As many as beams at most, the best first.
    done: Vec<Done>,
}

/// A beam with a token after it.
#[derive(Clone, Copy)]
struct Candidate {
    beam: usize,
    token: u32,
    score: f32,
}

/// The best answer that beams find to each prompt, all at once.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn beams<D: Decoder>(
    decoder: &D,
    begun: Vec<Begun<'_, D::Cache>>,
    stop: &Stop,
    rules: &Rules,
    beams: &Beams,
) -> Result<Vec<Answer>>
where
    D::Cache: Clone,
{
    let mut answers = vec![nothing(); begun.len()];
    if stop.length == 0 {
        return Ok(answers);
    }
    let begun = begun.into_iter().enumerate();
    let mut searches: Vec<Search<'_, D::Cache>> = begun
        .map(|(row, Begun { cache, prompt })| Search {
            row,
            prompt,
            // All beams are the same at first.
            live: vec![Beam {
                cache,
                ids: Vec::new(),
                score: 0.0,
            }],
            done: Vec::new(),
        })
        .collect();
    while !searches.is_empty() {
        let mut rows: Vec<Row<'_, D::Cache>> = searches
            .iter_mut()
            .flat_map(|search| {
                let prompt = search.prompt;
                search.live.iter_mut().map(move |beam| Row {
                    ids: latest(prompt, &beam.ids),
                    cache: &mut beam.cache,
                    asked: 1,
                })
            })
            .collect();
        let mut logits = decoder.forward(&mut rows)?.into_iter();
        let mut still = Vec::with_capacity(searches.len());
        for mut search in searches {
            let logits: Vec<Vec<f32>> = logits.by_ref().take(search.live.len()).collect();
            logits.iter().try_for_each(|logits| numbers(logits))?;
            let full = |cache: &D::Cache| decoder.length(cache) >= decoder.context();
            match search.step(logits, full, stop, rules, beams) {
                false => still.push(search),
                true => {
                    let best = search.done.into_iter().next();
                    answers[search.row] = best.map_or_else(nothing, |best| best.answer);
                }
            }
        }
        searches = still;
    }
    Ok(answers)
}

impl<C: Clone> Search<'_, C> {
    /// Follows each beam by a token, of which these are the logits. Whether the search is over.
    fn step(
        &mut self,
        logits: Vec<Vec<f32>>,
        full: impl Fn(&C) -> bool,
        stop: &Stop,
        rules: &Rules,
        beams: &Beams,
    ) -> bool {
        let length = 1 + self.live.first().map_or(0, |beam| beam.ids.len());
        let at_length = length >= stop.length || self.live.iter().any(|beam| full(&beam.cache));
        // So many that beams are left where all of the best come to an end.
        let kept = beams.count * (1 + stop.ends.len()).max(2);
        let mut candidates = Vec::with_capacity(kept + 1);
        for (beam, mut scores) in logits.into_iter().enumerate() {
            log_softmax(&mut scores);
            let Beam { ids, score, .. } = &self.live[beam];
            rules.apply(stop, self.prompt, ids, &mut scores);
            for (token, own) in (0..).zip(&scores) {
                let score = own + score;
                let candidate = Candidate { beam, token, score };
                insert(&mut candidates, candidate, kept);
            }
        }
        let per_length = |score: f32, length: usize| {
            // A quotient of 32 bits, by a power of 64.
            score / (length as f64).powf(beams.length_penalty) as f32
        };
        let mut next: Vec<Candidate> = Vec::with_capacity(beams.count);
        for (rank, candidate) in candidates.into_iter().enumerate() {
            let ends = stop.ends.contains(&candidate.token);
            if !ends && !at_length {
                next.push(candidate);
            } else if rank < beams.count {
                let said = &self.live[candidate.beam].ids;
                let last = (!ends).then_some(&candidate.token);
                self.done.push(Done {
                    answer: Answer {
                        ids: said.iter().chain(last).copied().collect(),
                        ended: if ends { Ended::Turn } else { Ended::Length },
                    },
                    score: per_length(candidate.score, length),
                });
            }
        }
        next.truncate(beams.count);
        // Those that were there stand before others as good.
        self.done.sort_by(|a, b| b.score.total_cmp(&a.score));
        self.done.truncate(beams.count);
        self.follow(&next);
        let (Some(best), false) = (self.live.first(), at_length) else {
            return true;
        };
        let length = match beams.early {
            Early::Impossible if beams.length_penalty > 0.0 => stop.length,
            _ => length,
        };
        match self.done.get(beams.count.saturating_sub(1)) {
            None => false,
            Some(worst) => {
                beams.early == Early::Full || per_length(best.score, length) <= worst.score
            }
        }
    }

    /// The beams that are followed from here. A cache is copied only where several go on from it.
    fn follow(&mut self, next: &[Candidate]) {
        let mut before: Vec<Option<Beam<C>>> = self.live.drain(..).map(Some).collect();
        for (i, candidate) in next.iter().enumerate() {
            let again = next[i + 1..].iter().any(|c| c.beam == candidate.beam);
            let beam = &mut before[candidate.beam];
            let taken = match again {
                true => beam
                    .as_ref()
                    .map(|beam| (beam.cache.clone(), beam.ids.clone())),
                false => beam.take().map(|beam| (beam.cache, beam.ids)),
            };
            if let Some((cache, mut ids)) = taken {
                ids.push(candidate.token);
                self.live.push(Beam {
                    cache,
                    ids,
                    score: candidate.score,
                });
            }
        }
    }
}

/// Puts a candidate among the best `most`, after those that are as good; what cannot be is none.
fn insert(best: &mut Vec<Candidate>, candidate: Candidate, most: usize) {
    let worst = match best.len() < most {
        true => f32::NEG_INFINITY,
        false => best.last().map_or(f32::INFINITY, |worst| worst.score),
    };
    if candidate.score > worst {
        let at = best.partition_point(|other| other.score >= candidate.score);
        best.insert(at, candidate);
        best.truncate(most);
    }
}

/// Logits become the logarithms of likelihoods.
fn log_softmax(logits: &mut [f32]) {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|l| f64::from(l - top).exp()).sum();
    let sum = sum.ln() as f32;
    for logit in logits {
        *logit = *logit - top - sum;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decode::greedy_after;
    use crate::decode::toy::Toy;

    /// Knows how likely each of four tokens is after the last; 0 is the end.
    fn chain() -> Toy {
        Toy::new(8, |tokens| {
            let last = tokens.last().map_or(0, |last| *last as usize);
            CHAIN[last].iter().map(|share| share.ln()).collect()
        })
    }

    /// 1 is likelier than 2 at first, but what follows 2 is sure.
    const CHAIN: [[f32; 4]; 4] = [
        [1.0, 0.0, 0.0, 0.0],
        [0.25, 0.25, 0.25, 0.25],
        [0.98, 0.005, 0.005, 0.01],
        [0.0, 0.55, 0.45, 0.0],
    ];

    fn begun<'a>(prompts: &[&'a [u32]]) -> Vec<Begun<'a, Vec<u32>>> {
        let begun = prompts.iter().map(|prompt| Begun {
            cache: Vec::new(),
            prompt,
        });
        begun.collect()
    }

    fn search(prompts: &[&[u32]], length: usize, settings: Beams) -> Vec<Vec<u32>> {
        until(&[0], prompts, length, settings)
    }

    fn until(ends: &[u32], prompts: &[&[u32]], length: usize, settings: Beams) -> Vec<Vec<u32>> {
        let stop = Stop {
            ends: ends.to_vec(),
            length,
        };
        let found = beams(
            &chain(),
            begun(prompts),
            &stop,
            &Rules::default(),
            &settings,
        )
        .unwrap();
        found.into_iter().map(|answer| answer.ids).collect()
    }

    const USUAL: Beams = Beams {
        count: 2,
        length_penalty: 0.0,
        early: Early::Full,
    };

    #[test]
    fn beams_find_what_the_likeliest_first_token_hides() {
        let stop = Stop {
            ends: vec![0],
            length: 2,
        };
        let greedy = greedy_after(&chain(), begun(&[&[3]]), &stop, &Rules::default()).unwrap();
        assert_eq!(greedy[0].ids[0], 1);
        assert_eq!(search(&[&[3]], 5, USUAL), [[2]]);
        // One beam sees no more than the likeliest.
        let one = Beams { count: 1, ..USUAL };
        assert_eq!(search(&[&[3]], 5, one)[0][0], 1);
    }

    #[test]
    fn a_search_is_the_same_alone_and_among_others() {
        let prompts: [&[u32]; 4] = [&[3], &[1, 1], &[2], &[3, 3, 1]];
        for early in [Early::Full, Early::Unlikely, Early::Impossible] {
            let settings = Beams {
                count: 3,
                length_penalty: 1.0,
                early,
            };
            let together = search(&prompts, 6, settings);
            for (prompt, together) in prompts.iter().zip(&together) {
                assert_eq!(&search(&[prompt], 6, settings)[0], together);
            }
        }
    }

    #[test]
    fn a_search_ends_at_its_length_and_where_the_context_is_full() {
        for (length, found) in [(3, 3), (100, 8), (0, 0)] {
            assert_eq!(until(&[], &[&[1]], length, USUAL)[0].len(), found);
        }
        assert!(search(&[&[1]], 3, Beams { count: 0, ..USUAL })[0].is_empty());
    }
}
