/// Emits an event for a decision of the service: at INFO, with the target
/// `dashcam::decision`. It passes every base filter, and kept exchanges always include it.
///
/// The first argument is the decision's name, a string literal. Fields follow as in
/// `tracing::info!`.
///
/// ```
/// let amount = 120;
/// dashcam::decision!("pricing", rule = "vip", discount = 15, amount);
/// dashcam::decision!("stock", reserved = %amount, "taken from the shelf");
/// ```
#[macro_export]
macro_rules! decision {
    ($name:literal $(,)?) => {
        $crate::__private::tracing::info!(target: "dashcam::decision", decision = $name)
    };
    ($name:literal, $($fields:tt)+) => {
        $crate::__private::tracing::info!(target: "dashcam::decision", decision = $name, $($fields)+)
    };
}
