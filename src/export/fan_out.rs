use super::{ExportError, Exporter, Health};
use crate::{
    exchange::Exchange,
    foreign::{self, Payload},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::PathBuf,
};

/// Calls every exporter, even if another one panics. The first panic continues after that.
#[derive(Default)]
struct Each(Option<Payload>);

impl Each {
    fn call<R>(&mut self, f: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(result) => Some(result),
            Err(payload) => {
                match &self.0 {
                    Some(_) => foreign::discard(payload),
                    None => self.0 = Some(payload),
                }
                None
            }
        }
    }

    fn done(self) {
        if let Some(payload) = self.0 {
            resume_unwind(payload);
        }
    }
}

/// The result of all calls: the first error, if any.
fn results(
    calls: impl Iterator<Item = Option<Result<(), ExportError>>>,
) -> Result<(), ExportError> {
    calls.flatten().reduce(Result::and).unwrap_or(Ok(()))
}

/// Both exporters receive every call, even if the other one fails or panics. If both fail,
/// the first error is returned. Health and warnings are those of both. The directory is the
/// first that one of them has.
impl<A: Exporter, B: Exporter> Exporter for (A, B) {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let mut each = Each::default();
        let first = each.call(|| self.0.export(exchange));
        let second = each.call(|| self.1.export(exchange));
        each.done();
        results([first, second].into_iter())
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let mut each = Each::default();
        let first = each.call(|| self.0.flush());
        let second = each.call(|| self.1.flush());
        each.done();
        results([first, second].into_iter())
    }

    fn health(&self) -> Health {
        match (self.0.health(), self.1.health()) {
            (Health::Ok, other) | (other, Health::Ok) => other,
            (Health::Degraded { why: first }, Health::Degraded { why: second }) => {
                Health::Degraded {
                    why: format!("{first}; {second}"),
                }
            }
        }
    }

    fn held(&self) -> u64 {
        self.0.held() + self.1.held()
    }

    fn lost(&self) -> u64 {
        self.0.lost() + self.1.lost()
    }

    fn directory(&self) -> Option<PathBuf> {
        self.0.directory().or_else(|| self.1.directory())
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.0.warnings();
        warnings.extend(self.1.warnings());
        warnings
    }

    fn tick(&mut self) {
        let mut each = Each::default();
        each.call(|| self.0.tick());
        each.call(|| self.1.tick());
        each.done();
    }

    fn idle(&mut self) -> bool {
        let mut each = Each::default();
        let more = [each.call(|| self.0.idle()), each.call(|| self.1.idle())];
        each.done();
        more.contains(&Some(true))
    }
}

/// Like a pair, for any number of exporters.
impl<E: Exporter> Exporter for Vec<E> {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let mut each = Each::default();
        let called = self
            .iter_mut()
            .map(|one| each.call(|| one.export(exchange)));
        let result = results(called);
        each.done();
        result
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let mut each = Each::default();
        let result = results(self.iter_mut().map(|one| each.call(|| one.flush())));
        each.done();
        result
    }

    fn health(&self) -> Health {
        let reasons = self.iter().filter_map(|exporter| match exporter.health() {
            Health::Ok => None,
            Health::Degraded { why } => Some(why),
        });
        let reasons: Vec<_> = reasons.collect();
        if reasons.is_empty() {
            return Health::Ok;
        }
        Health::Degraded {
            why: reasons.join("; "),
        }
    }

    fn held(&self) -> u64 {
        self.iter().map(Exporter::held).sum()
    }

    fn lost(&self) -> u64 {
        self.iter().map(Exporter::lost).sum()
    }

    fn directory(&self) -> Option<PathBuf> {
        self.iter().find_map(Exporter::directory)
    }

    fn warnings(&self) -> Vec<String> {
        self.iter().flat_map(Exporter::warnings).collect()
    }

    fn tick(&mut self) {
        let mut each = Each::default();
        self.iter_mut().for_each(|one| {
            each.call(|| one.tick());
        });
        each.done();
    }

    fn idle(&mut self) -> bool {
        let mut each = Each::default();
        let calls = self.iter_mut().map(|one| each.call(|| one.idle()));
        let more = calls.fold(false, |more, one| more | (one == Some(true)));
        each.done();
        more
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Memory, sample::sample};

    struct Broken;

    impl Exporter for Broken {
        fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
            Err(ExportError::new("broken"))
        }

        fn health(&self) -> Health {
            Health::Degraded {
                why: "broken".into(),
            }
        }
    }

    #[test]
    fn both_get_it_even_when_one_fails() {
        let memory = Memory::new(2);
        let mut both: (Box<dyn Exporter>, Memory) = (Box::new(Broken), memory.clone());
        assert!(both.export(&sample("a")).is_err());
        assert_eq!(memory.len(), 1);
        assert!(!both.health().is_ok());
        assert!(both.flush().is_ok());
        both.tick();
    }

    #[test]
    fn health_names_both_reasons() {
        let two = Health::Degraded {
            why: "broken; broken".into(),
        };
        assert_eq!((Broken, Broken).health(), two);
        assert_eq!((Memory::new(1), Memory::new(1)).health(), Health::Ok);
    }
}
