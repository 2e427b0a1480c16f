/// Notes a decision of the service: an event at INFO with the target
/// `dashcam::decision` that passes every base filter and is always part of a
/// kept exchange.
///
/// The first argument is the decision's name, a literal; fields follow as in
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
