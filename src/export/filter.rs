use super::{ExportError, Exporter, Health};
use crate::exchange::Exchange;
use std::path::PathBuf;

/// Passes only some exchanges to an exporter; see [`Exporter::filter`].
pub(super) struct Filter<E, F> {
    exporter: E,
    wanted: F,
}

impl<E, F> Filter<E, F> {
    pub(super) fn new(exporter: E, wanted: F) -> Self {
        Self { exporter, wanted }
    }
}

impl<E, F> Exporter for Filter<E, F>
where
    E: Exporter,
    F: FnMut(&Exchange) -> bool + Send + 'static,
{
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        if (self.wanted)(exchange) {
            return self.exporter.export(exchange);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.exporter.flush()
    }

    fn health(&self) -> Health {
        self.exporter.health()
    }

    fn held(&self) -> u64 {
        self.exporter.held()
    }

    fn lost(&self) -> u64 {
        self.exporter.lost()
    }

    fn directory(&self) -> Option<PathBuf> {
        self.exporter.directory()
    }

    fn warnings(&self) -> Vec<String> {
        self.exporter.warnings()
    }

    fn tick(&mut self) {
        self.exporter.tick();
    }

    fn idle(&mut self) -> bool {
        self.exporter.idle()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Memory, sample::sample};

    #[test]
    fn some_go_on_and_the_others_are_no_failure() {
        let (all, some) = (Memory::new(9), Memory::new(9));
        let mut both = (all.clone(), some.clone().filter(|e| e.id != "b"));
        for id in ["a", "b", "c"] {
            both.export(&sample(id)).unwrap();
        }
        assert_eq!((all.len(), some.len()), (3, 2));
        assert!(both.flush().is_ok() && both.health().is_ok());
        assert_eq!((both.held(), both.lost()), (0, 0));
    }

    #[test]
    fn any_number_of_exporters() {
        let kept = [Memory::new(9), Memory::new(9), Memory::new(9)];
        let mut all: Vec<Box<dyn Exporter>> = Vec::new();
        for memory in &kept {
            all.push(Box::new(memory.clone()));
        }
        all.export(&sample("a")).unwrap();
        assert!(kept.iter().all(|memory| memory.len() == 1));
        all.tick();
        assert!(all.flush().is_ok() && all.health().is_ok());
    }
}
