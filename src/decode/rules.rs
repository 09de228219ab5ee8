//! What may be said next whatever the model finds likely: no run of tokens twice, no end too soon, a first and a last token that are set.
//! As transformers' processors of logits, in its order.

use super::Stop;

/// The rules of an answer; by default there are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// No run of so many tokens, the prompt's too, comes twice; 0: any may.
    pub no_repeat: usize,
    /// Tokens before which no answer ends.
    pub least: usize,
    /// What every answer begins with.
    pub first: Option<u32>,
    /// What an answer that has come to its length ends with: one of these.
    pub last: Vec<u32>,
}

impl Rules {
    /// Makes impossible, in the scores of the token after `prompt` and `said`, what may not come.
    pub(super) fn apply(&self, stop: &Stop, prompt: &[u32], said: &[u32], scores: &mut [f32]) {
        let mut never = |id: u32| {
            if let Some(score) = scores.get_mut(id as usize) {
                *score = f32::NEG_INFINITY;
            }
        };
        if self.no_repeat > 0 && prompt.len() + said.len() >= self.no_repeat {
            let all = [prompt, said].concat();
            let begun = &all[all.len() + 1 - self.no_repeat..];
            for run in all.windows(self.no_repeat) {
                if let Some((last, before)) = run.split_last()
                    && before == begun
                {
                    never(*last);
                }
            }
        }
        if said.len() < self.least {
            stop.ends.iter().for_each(|id| never(*id));
        }
        if let Some(first) = &self.first
            && said.is_empty()
        {
            only(std::slice::from_ref(first), scores);
        }
        if !self.last.is_empty() && said.len() + 1 == stop.length {
            only(&self.last, scores);
        }
    }
}

/// Nothing but these may come, and they for sure.
fn only(ids: &[u32], scores: &mut [f32]) {
    scores.fill(f32::NEG_INFINITY);
    for id in ids {
        if let Some(score) = scores.get_mut(*id as usize) {
            *score = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens that may come after these, of six.
    fn may(rules: &Rules, prompt: &[u32], said: &[u32]) -> Vec<usize> {
        let stop = Stop {
            ends: vec![1],
            length: 5,
        };
        let mut scores = [-1.0; 6];
        rules.apply(&stop, prompt, said, &mut scores);
        (0..6).filter(|id| scores[*id].is_finite()).collect()
    }

    #[test]
    fn no_run_comes_twice_and_none_is_left_out_that_did_not_come() {
        let rules = |no_repeat| Rules {
            no_repeat,
            ..Rules::default()
        };
        assert_eq!(may(&rules(0), &[0], &[2, 3, 2]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(may(&rules(1), &[0], &[2, 3]), [1, 4, 5]);
        assert_eq!(may(&rules(2), &[0], &[2, 3, 2]), [0, 1, 2, 4, 5]);
        // The prompt's count, and so do some that overlap.
        assert_eq!(may(&rules(2), &[0, 2], &[0]), [0, 1, 3, 4, 5]);
        assert_eq!(may(&rules(3), &[4], &[4, 4]), [0, 1, 2, 3, 5]);
        assert_eq!(may(&rules(4), &[4], &[4, 4]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(may(&rules(9), &[4], &[4, 4]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn an_answer_begins_and_ends_as_it_has_to() {
        let rules = Rules {
            no_repeat: 1,
            least: 2,
            first: Some(4),
            last: vec![1],
        };
        assert_eq!(may(&rules, &[0], &[]), [4]);
        assert_eq!(may(&rules, &[0], &[4]), [2, 3, 5]);
        assert_eq!(may(&rules, &[0], &[4, 2]), [1, 3, 5]);
        // What has to come comes even if it came before, or its time is not yet.
        assert_eq!(may(&rules, &[1], &[4, 2, 3, 5]), [1]);
        assert_eq!(may(&rules, &[4], &[]), [4]);
    }
}
