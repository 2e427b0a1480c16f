use super::{
    answer::{Problem, json_answer},
    attempts::Attempts,
    audit::Who,
    auth::{Access, SHORTEST, Tokens},
    exchanges, rules,
    state::{Ask, Shared},
};
use crate::{export::Memory, kit::DashcamHandle, selection::peer};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::IntoResponse,
    routing::{get, post, put},
};
use serde_json::json;
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// Makes the router; see the [module page](super).
#[must_use]
pub struct Admin {
    handle: DashcamHandle,
    kept: Option<Memory>,
    tokens: Vec<(String, String)>,
    nobody_asked: bool,
}

impl Admin {
    /// A router over this dashcam. It answers nobody until it is said whom.
    pub fn new(handle: DashcamHandle) -> Self {
        Self {
            handle,
            kept: None,
            tokens: Vec::new(),
            nobody_asked: false,
        }
    }

    /// Answers whoever sends `authorization: Bearer <token>`; may be called again
    /// for others. `who` stands in the audit lines. A token has at least 32
    /// characters, such as those of `openssl rand -base64 32`.
    pub fn bearer_token(mut self, who: impl Into<String>, token: impl Into<String>) -> Self {
        self.tokens.push((who.into(), token.into()));
        self
    }

    /// Sets whether *everybody who can reach it* is answered, but no browsers. Default:
    /// `false`. For development only.
    pub fn insecure_no_auth(mut self, on: bool) -> Self {
        self.nobody_asked = on;
        self
    }

    /// Shows what is kept in memory here; give a clone of it to the exporter's side.
    pub fn exchanges(mut self, kept: Memory) -> Self {
        self.kept = Some(kept);
        self
    }

    /// The router, with a place for its rules behind those of all sources so far.
    ///
    /// # Errors
    ///
    /// It was not said who is answered, or both ways; a token is too short, has
    /// other characters than visible ASCII, or is given twice; or the system gives
    /// no random bytes.
    pub fn router(self) -> Result<Router, AdminError> {
        let access = self.access()?;
        let state = Arc::new(Shared {
            slot: self.handle.steering().slot("admin"),
            handle: self.handle,
            kept: self.kept,
            access,
            attempts: Attempts::default(),
            own: Mutex::default(),
        });
        Ok(Router::new()
            .route("/status", get(status))
            .route("/switch/off", post(rules::switch_off))
            .route("/switch/on", post(rules::switch_on))
            .route(
                "/rules",
                get(rules::list)
                    .put(rules::replace)
                    .delete(rules::delete_all),
            )
            .route(
                "/rules/{name}",
                put(rules::put_one).delete(rules::delete_one),
            )
            .route("/why", post(rules::why))
            .route("/exchanges", get(exchanges::list))
            .route("/exchanges/{id}", get(exchanges::one))
            .route("/exchanges/{id}/har", get(exchanges::one_har))
            .route("/exchanges/{id}/curl", get(exchanges::curl))
            .route("/har", get(exchanges::har))
            .fallback(unknown)
            .method_not_allowed_fallback(not_allowed)
            .layer(from_fn_with_state(Arc::clone(&state), authenticate))
            .with_state(state))
    }

    fn access(&self) -> Result<Access, AdminError> {
        let tokens = &self.tokens;
        for (n, (who, token)) in tokens.iter().enumerate() {
            let who = who.clone();
            if token.len() < SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(AdminError::Token { who });
            }
            if tokens.iter().take(n).any(|(_, other)| other == token) {
                return Err(AdminError::Twice { who });
            }
        }
        match (tokens.is_empty(), self.nobody_asked) {
            (true, false) => Err(AdminError::NoAccess),
            (false, true) => Err(AdminError::Both),
            (true, true) => Ok(Access::Anybody),
            (false, false) => {
                let tokens = Tokens::new(tokens).ok_or(AdminError::Random)?;
                Ok(Access::Tokens(tokens))
            }
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The router could not be made.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AdminError {
    /// It was not said who is answered.
    NoAccess,
    /// Tokens were given, and that nobody is asked for one.
    Both,
    /// A token is too short, or has other characters than visible ASCII.
    Token {
        /// Whose it is.
        who: String,
    },
    /// A token is somebody else's already.
    Twice {
        /// Whose it is, too.
        who: String,
    },
    /// The system gives no random bytes.
    Random,
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccess => f.write_str(
                "nobody could use the admin router: give it a `bearer_token`, or, for development, \
                 `insecure_no_auth(true)`",
            ),
            Self::Both => {
                f.write_str("`insecure_no_auth(true)` would make the tokens of the router useless")
            }
            Self::Token { who } => write!(
                f,
                "the token of {who:?} must have at least {SHORTEST} characters, all of them \
                 visible ASCII: `openssl rand -base64 32` makes one"
            ),
            Self::Twice { who } => write!(
                f,
                "the token of {who:?} is somebody else's already, so the audit could not tell them \
                 apart"
            ),
            Self::Random => f.write_str("the system gives no random bytes"),
        }
    }
}

impl std::error::Error for AdminError {}

async fn authenticate(State(shared): Ask, mut request: Request, next: Next) -> Response<Body> {
    let peer = peer(request.extensions());
    let checked = shared
        .access
        .check(request.headers(), request.uri(), peer, &shared.attempts);
    match checked {
        Ok(who) => {
            request.extensions_mut().insert::<Who>(who);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn status(State(shared): Ask) -> Response<Body> {
    let (failed, refused) = shared.attempts.counts();
    json_answer(&json!({
        "dashcam": shared.handle.status(),
        "admin": { "wrong_tokens": failed, "refused_attempts": refused },
    }))
}

async fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "expected one of /status, /switch/off, /switch/on, /rules, /rules/NAME, /why, /exchanges, \
         /exchanges/ID, /exchanges/ID/har, /exchanges/ID/curl, /har",
    )
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path has other methods; see docs/admin.md",
    )
}
