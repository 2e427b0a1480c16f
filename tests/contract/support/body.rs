use super::current_id;
use bytes::Bytes;
use futures_util::task::noop_waker;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    collections::VecDeque,
    fmt,
    marker::{PhantomData, PhantomPinned},
    panic::resume_unwind,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

/// The error of the tests' bodies. Not `Clone`, so that an error that passes is the original.
#[derive(Debug, PartialEq)]
pub(crate) struct Broken(pub(crate) Box<u32>);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::refuse(*self.0);
        write!(f, "broken pipe {}", self.0)
    }
}

impl std::error::Error for Broken {}

/// What a body does when it is polled.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(u32),
    Pending,
    End,
    Panic(u32),
}

impl Step {
    pub(crate) fn data(text: &'static str) -> Self {
        Self::Data(Bytes::from_static(text.as_bytes()))
    }

    pub(crate) fn trailers() -> Self {
        let mut trailers = HeaderMap::new();
        trailers.append("x-sum", HeaderValue::from_static("1"));
        trailers.append("x-sum", HeaderValue::from_static("2"));
        trailers.append("x-rows", HeaderValue::from_static("3"));
        Self::Trailers(trailers)
    }
}

/// What a body saw: the current request in its polls and its drop.
#[derive(Debug, Default)]
pub(crate) struct Seeing {
    pub(crate) polls: Vec<Option<String>>,
    pub(crate) wakers: Vec<Waker>,
    pub(crate) dropped: Option<Option<String>>,
}

pub(crate) type Log = Arc<Mutex<Seeing>>;

pin_project! {
    /// A body that follows its script, and after that ends again and again. Neither `Clone`, nor
    /// `Sync`, nor `Unpin`.
    #[derive(Debug)]
    pub(crate) struct Script {
        steps: VecDeque<Step>,
        hint: (u64, Option<u64>),
        tells_end: bool,
        log: Log,
        not_sync: PhantomData<Cell<()>>,
        #[pin]
        not_unpin: PhantomPinned,
    }

    impl PinnedDrop for Script {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.log.lock().unwrap().dropped = Some(current_id());
        }
    }
}

impl Script {
    /// Announces nothing, not even its end.
    pub(crate) fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            hint: (0, None),
            tells_end: false,
            log: Log::default(),
            not_sync: PhantomData,
            not_unpin: PhantomPinned,
        }
    }

    /// Announces its end by `is_end_stream` once its script is done.
    pub(crate) fn telling_end(mut self) -> Self {
        self.tells_end = true;
        self
    }

    /// Announces at first this length, and then the rest of it.
    pub(crate) fn hint(mut self, lower: u64, upper: Option<u64>) -> Self {
        self.hint = (lower, upper);
        self
    }

    pub(crate) fn empty() -> Self {
        Self::new([]).telling_end().hint(0, Some(0))
    }

    pub(crate) fn log(&self) -> Log {
        Arc::clone(&self.log)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Script {
    fn from(bytes: Bytes) -> Self {
        let length = bytes.len() as u64;
        Self::new([Step::Data(bytes)])
            .telling_end()
            .hint(length, Some(length))
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.project();
        {
            let mut log = this.log.lock().unwrap();
            log.polls.push(current_id());
            log.wakers.push(cx.waker().clone());
        }
        match this.steps.pop_front() {
            Some(Step::Data(data)) => {
                let length = data.len() as u64;
                this.hint.0 = this.hint.0.saturating_sub(length);
                this.hint.1 = this.hint.1.map(|upper| upper.saturating_sub(length));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Step::Trailers(trailers)) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Some(Step::Error(code)) => Poll::Ready(Some(Err(Broken(Box::new(code))))),
            Some(Step::Pending) => Poll::Pending,
            Some(Step::Panic(mark)) => resume_unwind(Box::new(super::Marked(mark))),
            Some(Step::End) | None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.tells_end && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.hint.0);
        if let Some(upper) = self.hint.1 {
            hint.set_upper(upper);
        }
        hint
    }
}

/// Any body of the tests, unchanged.
pub(crate) struct AnyBody(Pin<Box<dyn Body<Data = Bytes, Error = Broken>>>);

impl AnyBody {
    pub(crate) fn new(body: impl Body<Data = Bytes, Error = Broken> + 'static) -> Self {
        Self(Box::pin(body))
    }
}

impl fmt::Debug for AnyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyBody")
    }
}

impl From<Bytes> for AnyBody {
    fn from(bytes: Bytes) -> Self {
        Self::new(Script::from(bytes))
    }
}

impl Body for AnyBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.as_mut().poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// One poll of a body, as its reader sees it.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Data(Bytes),
    Trailers(HeaderMap),
    Error(Broken),
    Pending,
    End,
}

impl Seen {
    pub(crate) fn of(polled: Poll<Option<Result<Frame<Bytes>, Broken>>>) -> Self {
        match polled {
            Poll::Pending => Self::Pending,
            Poll::Ready(None) => Self::End,
            Poll::Ready(Some(Err(error))) => Self::Error(error),
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => Self::Data(data),
                Err(frame) => Self::Trailers(frame.into_trailers().unwrap_or_default()),
            },
        }
    }
}

/// What a reader can query between two polls.
pub(crate) type Announced = (u64, Option<u64>, bool);

fn announced(body: &impl Body) -> Announced {
    let hint = body.size_hint();
    (hint.lower(), hint.upper(), body.is_end_stream())
}

/// Polls a body this many times, whatever it returns, and notes everything that a reader can see.
pub(crate) fn transcript<B>(body: B, polls: usize) -> (Announced, Vec<(Seen, Announced)>)
where
    B: Body<Data = Bytes, Error = Broken>,
{
    let mut body = Box::pin(body);
    let waker = noop_waker();
    let mut cx = Context::from_waker(&waker);
    let before = announced(&body);
    let seen = (0..polls)
        .map(|_| {
            let seen = Seen::of(body.as_mut().poll_frame(&mut cx));
            (seen, announced(&body))
        })
        .collect();
    (before, seen)
}

/// Bodies of all sorts. Each call makes them anew.
fn sorts() -> Vec<Script> {
    let text = Step::data;
    vec![
        Script::empty(),
        Script::new([]),
        Script::new([]).hint(0, Some(0)),
        Script::from(Bytes::from_static(b"all of it")),
        Script::new([text("a"), text("b"), text("c")]).hint(3, Some(3)),
        Script::new([text("a"), text("b")]).telling_end(),
        Script::new([text("a"), text(""), Step::Pending, text("b"), text("")]).hint(2, None),
        Script::new([Step::Pending, Step::Pending, text("late")]).hint(1, Some(9)),
        Script::new([text("a"), Step::trailers()]).hint(1, Some(1)),
        Script::new([Step::trailers()]).telling_end(),
        Script::new([text("a"), Step::trailers(), text("after"), Step::trailers()]),
        Script::new([text("a"), Step::Error(4)]).hint(5, Some(5)),
        Script::new([Step::Error(5), text("after"), Step::Error(6)]).telling_end(),
        Script::new([
            text("a"),
            Step::End,
            text("after"),
            Step::Error(7),
            Step::End,
        ]),
        // Its wrong length must pass unchanged.
        Script::new([text("longer")]).hint(1, Some(2)),
        Script::new([text("short")]).hint(100, Some(100)),
        Script::new([Step::Data(Bytes::from(vec![7; 100_000])), text("x")]).hint(100_001, None),
    ]
}

/// The check: for their reader, bodies that went through `wrap` are like themselves, whatever the
/// reader does.
#[track_caller]
pub(crate) fn same(mut wrap: impl FnMut(Script) -> AnyBody) {
    for (wrapped, plain) in sorts().into_iter().zip(sorts()) {
        let case = format!("{plain:?}");
        assert_eq!(
            transcript(wrap(wrapped), 8),
            transcript(plain, 8),
            "changed on its way: {case:.200}"
        );
    }
}
