//! A service that ends as its first argument says. Its exchanges go to the second.
use dashcam::{
    Dashcam,
    exchange::Exchange,
    export::{ExportError, Exporter, JsonLines},
    lifecycle::RequestBody,
};
use http_body_util::Full;
use std::{convert::Infallible, path::PathBuf, time::Duration};
use tower::{Layer, ServiceExt, service_fn};

type Body = Full<bytes::Bytes>;

/// Slow, so that kept exchanges wait in the queue.
struct Slow(JsonLines);

impl Exporter for Slow {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        std::thread::sleep(Duration::from_millis(20));
        self.0.export(exchange)
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.0.flush()
    }
}

/// Never finishes.
struct Stuck;

impl Exporter for Stuck {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        loop {
            std::thread::park();
        }
    }
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

extern "C" fn cannot_unwind() {
    panic!("in extern C");
}

unsafe extern "C" {
    fn fork() -> i32;
}

fn end(how: &str) {
    tracing::debug!("just before");
    match how {
        "panic" | "stuck" | "own" | "placed" => panic!("the last one"),
        "resumed" => {
            let joined = std::thread::spawn(|| panic!("elsewhere")).join();
            std::panic::resume_unwind(joined.unwrap_err());
        }
        "flood" => {
            // More than the log accepts.
            let text = "x".repeat(1000);
            (0..100_000).for_each(|n| tracing::warn!(n, text));
            panic!("the last one");
        }
        "caught" => {
            // None of these is one of the two.
            let _ = std::panic::catch_unwind(|| panic!("caught"));
            let _ = std::thread::spawn(|| panic!("elsewhere")).join();
            cannot_unwind();
        }
        "exits" => {
            let _ = std::panic::catch_unwind(|| panic!("the last one"));
        }
        "double" => {
            let _dropped = PanicsWhenDropped;
            panic!("the first of two");
        }
        "extern" => cannot_unwind(),
        _ => {}
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let how = args.next().unwrap();
    let dir = PathBuf::from(args.next().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let files = Slow(JsonLines::builder(dir).build());
    let exporter: Box<dyn Exporter> = match &*how {
        "stuck" => Box::new(Stuck),
        _ => Box::new(files),
    };
    if how == "exits" {
        std::panic::set_hook(Box::new(|_| std::process::exit(3)));
    }
    let dashcam = Dashcam::builder()
        .service("ends", "1")
        .exporter(exporter)
        .build()
        .unwrap();
    if how == "own" {
        // As a service with a subscriber of its own does.
        dashcam.install_panic_hook();
    } else {
        dashcam.init_tracing().unwrap();
    }
    if how == "hook" {
        std::panic::set_hook(Box::new(|_| {}));
    }
    // Twice, as on a router and on one of its routes.
    let layer = (dashcam.layer().propagate_panics(), dashcam.layer());
    let layer = tower::layer::util::Stack::new(layer.0, layer.1);
    let ends = how.clone();
    let service = layer.layer(service_fn(move |request: http::Request<_>| {
        let how = ends.clone();
        async move {
            let _: &RequestBody<RequestBody<Body>> = request.body();
            if request.uri().path() == "/9" {
                end(&how);
                if how == "hook" {
                    panic!("somewhere");
                }
            }
            let response = http::Response::builder().status(500);
            Ok::<_, Infallible>(response.body(Body::default()).unwrap())
        }
    }));
    let call = |path: String| {
        let request = http::Request::get(path).body(Body::default()).unwrap();
        drop(runtime.block_on(service.clone().oneshot(request)));
    };
    (0..3).for_each(|n| call(format!("/{n}")));
    if how == "fork" {
        // The child uses nothing that takes a lock of the parent.
        if unsafe { fork() } == 0 {
            call("/5".to_owned());
            let handle = dashcam.handle();
            let flushed = handle.flush(Duration::from_secs(60));
            let status = handle.status();
            eprintln!("{flushed} {:?} {:?}", status.exporter, status.warnings);
            drop(dashcam);
            std::process::exit(0);
        }
        std::thread::sleep(Duration::from_millis(1000));
        return;
    }
    call("/9".to_owned());
    eprintln!("{:?}", dashcam.status().warnings);
}
