//! Constrained decoding: an answer that has to be one of a few texts, such as a sentence and its shortenings. The candidates are the paths of
//! a tree of tokens, and where paths part the likeliest of the tokens that lead on is taken (after De Cao et al. 2021, "Autoregressive Entity
//! Retrieval"); or the one that leads to the shortest text, if it is not much less likely. What all that are left have in common is read in
//! one pass, and nothing is read after the last parting.

use super::{Begun, Decoder, Row, numbers};
use crate::error::Result;

/// A row whose answer is not known yet.
struct Open<'a, C> {
    /// Whose it is.
    row: usize,
    cache: C,
    candidates: &'a [Vec<u32>],
    /// Those that begin with what was said.
    left: Vec<usize>,
    said: usize,
    /// What has to be read before the next choice.
    unread: Vec<u32>,
}

/// Which of its candidates each row says, all rows at once; the first of those that are as likely. Where paths part, the token that leads to
/// the shortest candidate has `lead` added to its logit, in favour of the short. A row's choice depends on that row alone. A candidate that
/// another one begins with stands beside it as one of the tokens `ends`, which end a turn; of two that are the same the first is said.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn among<D: Decoder>(
    decoder: &D,
    begun: Vec<Begun<'_, D::Cache>>,
    candidates: &[&[Vec<u32>]],
    ends: &[u32],
    lead: f32,
) -> Result<Vec<usize>> {
    let mut chosen = vec![0; begun.len()];
    let mut open: Vec<Open<'_, D::Cache>> = Vec::with_capacity(begun.len());
    for (row, (Begun { cache, prompt }, candidates)) in
        begun.into_iter().zip(candidates).enumerate()
    {
        let mut new = Open {
            row,
            cache,
            candidates,
            left: (0..candidates.len()).collect(),
            said: 0,
            unread: prompt.to_vec(),
        };
        match new.goes_on() {
            Some(only) => chosen[row] = only,
            None => open.push(new),
        }
    }
    while !open.is_empty() {
        let mut rows: Vec<Row<'_, D::Cache>> = open
            .iter_mut()
            .map(|open| Row {
                ids: &open.unread,
                cache: &mut open.cache,
                asked: 1,
            })
            .collect();
        let logits = decoder.forward(&mut rows)?;
        let mut still = Vec::with_capacity(open.len());
        for (mut open, logits) in open.into_iter().zip(logits) {
            numbers(&logits)?;
            open.choose(&logits, ends, lead);
            match open.goes_on() {
                Some(only) => chosen[open.row] = only,
                None => still.push(open),
            }
        }
        open = still;
    }
    Ok(chosen)
}

impl<C> Open<'_, C> {
    /// Says what all that are left have in common; the one that is said, if no choice is left.
    fn goes_on(&mut self) -> Option<usize> {
        loop {
            let Some(&first) = self.left.first() else {
                return Some(0);
            };
            let next = self.next(first);
            if !self.left.iter().all(|other| self.next(*other) == next) {
                return None;
            }
            // One is left, or all that are left are the same.
            let Some(next) = next.filter(|_| self.left.len() > 1) else {
                return Some(first);
            };
            self.said += 1;
            self.unread.push(next);
        }
    }

    /// The token with which a candidate goes on; none at its end.
    fn next(&self, candidate: usize) -> Option<u32> {
        self.candidates[candidate].get(self.said).copied()
    }

    /// Takes the likeliest of the tokens with which those that are left go on, the shortest one's a `lead` ahead.
    fn choose(&mut self, logits: &[f32], ends: &[u32], lead: f32) {
        let length = |candidate: &&usize| self.candidates[**candidate].len();
        let shortest = self.left.iter().min_by_key(length);
        let shortest = shortest.and_then(|candidate| self.next(*candidate));
        let logit = |id: &u32| logits.get(*id as usize).copied();
        let worth = |next: Option<u32>| {
            let end = || ends.iter().filter_map(logit).max_by(f32::total_cmp);
            let own = next
                .as_ref()
                .map_or_else(end, logit)
                .unwrap_or(f32::NEG_INFINITY);
            own + if next == shortest { lead } else { 0.0 }
        };
        let options = self.left.iter().map(|candidate| self.next(*candidate));
        // Of equals the first.
        let best = options
            .rev()
            .max_by(|a, b| worth(*a).total_cmp(&worth(*b)))
            .flatten();
        let left = self.left.iter().copied();
        self.left = left
            .filter(|candidate| self.next(*candidate) == best)
            .collect();
        self.unread.clear();
        self.unread.extend(best);
        self.said += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::decode::toy::Toy;

    const END: u32 = 0;

    /// Likes small tokens, but after 7 large ones, and the end no better than 5.
    fn toy() -> Toy {
        Toy::new(100, |tokens| {
            let large = tokens.last() == Some(&7);
            let like = |id: u32| if large { id as f32 } else { -(id as f32) };
            (0..10)
                .map(|id| if id == END { like(5) } else { like(id) })
                .collect()
        })
    }

    fn choice(toy: &Toy, rows: &[(&[u32], Vec<Vec<u32>>)]) -> Vec<usize> {
        with(0.0, toy, rows)
    }

    fn with(lead: f32, toy: &Toy, rows: &[(&[u32], Vec<Vec<u32>>)]) -> Vec<usize> {
        let begun = rows.iter().map(|(prompt, _)| Begun {
            cache: Vec::new(),
            prompt,
        });
        let candidates: Vec<&[Vec<u32>]> = rows.iter().map(|(_, texts)| &texts[..]).collect();
        among(toy, begun.collect(), &candidates, &[END], lead).unwrap()
    }

    #[test]
    fn where_candidates_part_the_likeliest_token_leads_on() {
        for (candidates, chosen) in [
            (vec![vec![3, 4, 9], vec![3, 2, 9]], 1),
            (vec![vec![3, 7, 1], vec![3, 7, 9], vec![3, 8, 1]], 1),
            // What a path holds after the parting changes nothing.
            (vec![vec![1, 9, 9], vec![2]], 0),
            // The end is as likely as 5.
            (vec![vec![3], vec![3, 4]], 1),
            (vec![vec![3, 6], vec![3]], 1),
            (vec![vec![3, 5], vec![3]], 0),
            (vec![vec![1], vec![1], vec![1, 9]], 0),
            (vec![vec![8, 8]], 0),
            (vec![vec![], vec![1]], 1),
        ] {
            assert_eq!(
                choice(&toy(), &[(&[6], candidates.clone())]),
                [chosen],
                "{candidates:?}"
            );
        }
    }

    #[test]
    fn the_short_has_a_lead() {
        let texts = vec![vec![3, 4, 9], vec![5, 2]];
        let chosen = |lead| with(lead, &toy(), &[(&[6], texts.clone())]);
        assert_eq!(chosen(1.5), [0]);
        assert_eq!(chosen(2.5), [1]);
        // Where both go on alike there is nothing to lead in.
        let texts = vec![vec![3, 4, 9], vec![3, 5], vec![3, 6, 9]];
        assert_eq!(with(0.5, &toy(), &[(&[6], texts.clone())]), [0]);
        assert_eq!(with(1.5, &toy(), &[(&[6], texts)]), [1]);
    }

    #[test]
    fn what_is_common_is_read_in_one_pass_and_nothing_after_the_last_parting() {
        let toy = toy();
        let rows: [(&[u32], Vec<Vec<u32>>); 3] = [
            (&[6, 6], vec![vec![1, 1, 3, 8, 8], vec![1, 1, 4, 8, 8]]),
            (&[6], vec![vec![2, 2]]),
            (&[6], vec![vec![2, 1, 1, 4], vec![2, 1, 1, 5], vec![3, 9]]),
        ];
        assert_eq!(choice(&toy, &rows), [0, 0, 0]);
        let passes = toy.passes.lock().unwrap();
        let expected: [&[usize]; 2] = [&[4, 1], &[3]];
        assert_eq!(*passes, expected);
    }

    #[test]
    fn a_choice_is_the_same_alone_and_among_others() {
        let texts = |ids: &[&[u32]]| ids.iter().map(|ids| ids.to_vec()).collect::<Vec<_>>();
        let rows: [(&[u32], Vec<Vec<u32>>); 3] = [
            (&[1, 2, 7], texts(&[&[1, 2], &[8, 7, 1], &[8, 7, 2], &[3]])),
            (&[4], texts(&[&[7, 1, 1], &[7, 1], &[9]])),
            (&[5, 5], texts(&[&[2, 4, 6], &[2, 3, 7, 7], &[2, 3, 7, 8]])),
        ];
        let together = choice(&toy(), &rows);
        for (row, together) in rows.iter().zip(together) {
            assert_eq!(choice(&toy(), std::slice::from_ref(row)), [together]);
        }
    }
}
