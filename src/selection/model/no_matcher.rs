//! Takes the place of regular expressions in a build without the feature `config`.

use super::RulesError;
use crate::selection::work::Work;

#[derive(Clone, Debug)]
pub(super) enum Matcher {}

impl Matcher {
    pub(super) fn new(_: &str) -> Result<Self, RulesError> {
        Err(RulesError::expected(
            "regular expressions need the feature `config` of dashcam",
        ))
    }

    pub(super) fn weight(&self) -> usize {
        match *self {}
    }

    pub(super) fn matches(&self, _: &[u8], _: &Work) -> bool {
        match *self {}
    }
}
