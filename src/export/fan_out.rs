use super::{Backlog, ExportError, Exporter, Health};
use crate::exchange::Exchange;

/// Both exporters get every call, whatever the other one answers. Where both
/// fail, the first one's error is returned; where both are degraded, both
/// reasons are given.
impl<A: Exporter, B: Exporter> Exporter for (A, B) {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let first = self.0.export(exchange);
        let second = self.1.export(exchange);
        first.and(second)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let first = self.0.flush();
        let second = self.1.flush();
        first.and(second)
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

    fn backlog(&self) -> Backlog {
        let (first, second) = (self.0.backlog(), self.1.backlog());
        Backlog::new(first.held + second.held, first.lost + second.lost)
    }

    fn tick(&mut self) {
        self.0.tick();
        self.1.tick();
    }
}

/// As a pair, for any number.
impl<E: Exporter> Exporter for Vec<E> {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let results = self.iter_mut().map(|exporter| exporter.export(exchange));
        results.fold(Ok(()), Result::and)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        let results = self.iter_mut().map(Exporter::flush);
        results.fold(Ok(()), Result::and)
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

    fn backlog(&self) -> Backlog {
        let backlogs = self.iter().map(Exporter::backlog);
        backlogs.fold(Backlog::default(), |sum, one| {
            Backlog::new(sum.held + one.held, sum.lost + one.lost)
        })
    }

    fn tick(&mut self) {
        self.iter_mut().for_each(Exporter::tick);
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
