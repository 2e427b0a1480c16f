//! Rules, what they select, and the switch for everything verbose.

use super::{
    answer::{Answer, Named, Problem, json_answer, work},
    asked::Asked,
    audit::{self, Change, Who},
    state::{Ask, Shared},
};
use crate::selection::{OffBy, Rule, Rules, RulesError, VERBOSE_OFF};
use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::State,
    http::{Response, StatusCode},
};
use serde_json::{Value, json};
use std::{
    sync::{MutexGuard, PoisonError},
    time::SystemTime,
};

/// The longest body, in bytes, as for files.
const MAX_LEN: usize = 1024 * 1024;

pub(super) async fn list(State(shared): Ask) -> Response<Body> {
    let sources = shared.handle.steering().by_source();
    let sources: Vec<_> = sources
        .iter()
        .map(|(source, rules)| {
            let rules: Vec<_> = rules.iter().collect();
            json!({ "name": source.name, "problem": source.problem, "rules": rules })
        })
        .collect();
    let warnings = shared.handle.steering().warnings();
    json_answer(&json!({ "sources": sources, "warnings": warnings }))
}

pub(super) async fn replace(
    State(shared): Ask,
    Extension(who): Extension<Who>,
    body: Body,
) -> Answer {
    let text = read(body).await?;
    work(move || {
        let rules = if text.trim_start().starts_with('{') {
            Rules::from_json(&text)
        } else {
            Rules::from_toml(&text)
        };
        let rules = rules.map_err(|error| invalid(&error))?;
        if rules.is_empty() {
            let detail = "expected at least one rule; DELETE ends all of them";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
        }
        shared.change(&who, ("rules replaced", None), |_| Ok(rules))
    })
    .await
}

pub(super) async fn put_one(
    State(shared): Ask,
    Extension(who): Extension<Who>,
    Named(name): Named,
    body: Body,
) -> Answer {
    let text = read(body).await?;
    work(move || {
        let rule = one(name, &text)?;
        shared.change(&who, ("rule put", Some(rule.name())), |own| {
            let others = own.iter().filter(|other| other.name() != rule.name());
            Ok(Rules::new(others.chain([&rule]).cloned()))
        })
    })
    .await
}

/// Reads a rule as JSON; its name is in the path.
fn one(name: String, text: &str) -> Result<Rule, Problem> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            format!("expected one rule as JSON: {error}"),
        )
        .with("line", error.line())
        .with("column", error.column())
    })?;
    let Some(fields) = value.as_object_mut() else {
        let detail = "expected one rule as a JSON object; PUT /rules takes several";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    };
    let named = fields.insert("name".to_owned(), Value::String(name));
    if named.is_some() && named.as_ref() != fields.get("name") {
        let detail = "expected no `name`, or the one in the path";
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        return Err(problem.with("field", "name"));
    }
    let rules = Rules::from_json_value(&json!({ "rule": [value] })).map_err(|mut error| {
        let field = error.field.trim_start_matches("rule[0]");
        error.field = field.trim_start_matches('.').to_owned();
        invalid(&error)
    })?;
    rules
        .iter()
        .next()
        .cloned()
        .ok_or_else(|| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "expected one rule"))
}

pub(super) async fn delete_all(State(shared): Ask, Extension(who): Extension<Who>) -> Answer {
    work(move || shared.change(&who, ("rules deleted", None), |_| Ok(Rules::default()))).await
}

pub(super) async fn delete_one(
    State(shared): Ask,
    Extension(who): Extension<Who>,
    Named(name): Named,
) -> Answer {
    work(move || {
        shared.change(&who, ("rule deleted", Some(&name)), |own| {
            if own.iter().any(|rule| rule.name() == name) {
                let others = own.iter().filter(|rule| rule.name() != name);
                return Ok(Rules::new(others.cloned()));
            }
            let detail = match shared.elsewhere(&name) {
                Some(source) => format!("this rule comes from {source}; delete it there"),
                None => "there is no such rule".to_owned(),
            };
            Err(Problem::new(StatusCode::NOT_FOUND, detail))
        })
    })
    .await
}

impl Shared {
    fn own(&self) -> MutexGuard<'_, Rules> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the other source that has a rule of this name.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let sources = self.handle.steering().by_source();
        let has = |rules: &Rules| rules.iter().any(|rule| rule.name() == name);
        let mut others = sources
            .into_iter()
            .filter(|(source, _)| source.name != SLOT);
        others
            .find(|(_, rules)| has(rules))
            .map(|(source, _)| source.name)
    }

    /// Replaces all rules of this router, or none.
    fn change(
        &self,
        who: &Who,
        (what, rule): (&'static str, Option<&str>),
        change: impl FnOnce(&Rules) -> Result<Rules, Problem>,
    ) -> Answer {
        let mut own = self.own();
        let rules = change(&own)?;
        let now = SystemTime::now();
        // Rules that have ended make room.
        let before = own.clone();
        let is_new = |rule: &&Rule| !before.iter().any(|old| old == *rule);
        let kept = rules
            .iter()
            .filter(|rule| is_new(rule) || rule.expires() > now);
        let rules = Rules::new(kept.cloned());
        if let Some(why) = rules.too_many() {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
        for (n, rule) in rules.iter().enumerate().filter(|(_, rule)| is_new(rule)) {
            if rule.expires() <= now {
                let detail = format!(
                    "the rule {:?} has already ended; set a later `expires`",
                    rule.name()
                );
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
                return Err(problem.with("field", format!("rule[{n}].expires")));
            }
            if let Some(source) = self.elsewhere(rule.name()) {
                let detail = format!(
                    "{source} already has a rule {:?}; take another name",
                    rule.name()
                );
                let problem = Problem::new(StatusCode::CONFLICT, detail);
                return Err(problem.with("field", format!("rule[{n}].name")));
            }
        }
        self.slot.set(rules.clone());
        *own = rules.clone();
        // Still under the lock, so that the lines are in the order of the changes.
        audit::tell(
            who,
            &Change {
                what,
                rule,
                before: &before,
                rules: &rules,
            },
            now,
        );
        drop(own);
        let mut warnings = self.handle.steering().warnings();
        warnings.retain(|warning| rules.iter().any(|rule| rule.name() == warning.rule));
        let rules: Vec<_> = rules.iter().collect();
        Ok(json_answer(
            &json!({ "rules": rules, "warnings": warnings }),
        ))
    }
}

/// The name of this source of rules.
const SLOT: &str = "admin";

pub(super) async fn why(State(shared): Ask, body: Body) -> Answer {
    let text = read(body).await?;
    work(move || {
        let mut from = serde_json::Deserializer::from_str(&text);
        let asked: Asked = serde_path_to_error::deserialize(&mut from).map_err(|error| {
            let field = error.path().to_string();
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                error.into_inner().to_string(),
            )
            .with("field", field)
        })?;
        let described = asked.described().map_err(|(field, why)| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why).with("field", field)
        })?;
        let steering = shared.handle.steering();
        let why = steering.why(&described);
        Ok(json_answer(&json!({
            "selected": why.iter().find(|why| why.selects()).map(|why| &why.name),
            "rules": why,
            "off_by": steering.off_by(),
        })))
    })
    .await
}

pub(super) async fn switch_off(
    State(shared): Ask,
    Extension(who): Extension<Who>,
) -> Response<Body> {
    shared.handle.steering().switch_off();
    audit::switched(&who, "switched off");
    json_answer(&json!({ "off_by": shared.handle.steering().off_by() }))
}

pub(super) async fn switch_on(State(shared): Ask, Extension(who): Extension<Who>) -> Answer {
    let steering = shared.handle.steering();
    steering.switch_on();
    audit::switched(&who, "switched on");
    match steering.off_by() {
        Some(OffBy::Environment) => Err(Problem::new(
            StatusCode::CONFLICT,
            format!(
                "the environment variable {VERBOSE_OFF} keeps it off until the process restarts"
            ),
        )
        .with("off_by", OffBy::Environment)),
        off_by => Ok(json_answer(&json!({ "off_by": off_by }))),
    }
}

/// Reads a body as text, of at most 1 MiB.
async fn read(body: Body) -> Result<String, Problem> {
    let bytes = to_bytes(body, MAX_LEN).await.map_err(|_| {
        let detail = "expected a body of at most 1 MiB";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })?;
    String::from_utf8(bytes.into()).map_err(|_| {
        let detail = "expected a body in UTF-8";
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })
}

fn invalid(error: &RulesError) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        .with("line", error.line)
        .with("column", error.column)
        .with("field", (!error.field.is_empty()).then_some(&error.field))
        .with("message", &error.message)
}
