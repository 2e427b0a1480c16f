use open_feature::{StructValue, Value as Flag};
use serde_json::{Map, Value};

/// Converts a struct value to JSON.
pub(super) fn object(value: StructValue) -> Value {
    let fields = value.fields.into_iter();
    Value::Object(
        fields
            .map(|(name, value)| (name, json(value)))
            .collect::<Map<_, _>>(),
    )
}

fn json(value: Flag) -> Value {
    match value {
        Flag::Bool(is) => is.into(),
        Flag::Int(n) => n.into(),
        Flag::Float(n) => number(n),
        Flag::String(text) => text.into(),
        Flag::Array(all) => all.into_iter().map(json).collect(),
        Flag::Struct(value) => object(value),
    }
}

/// Converts 5.0 to 5: some providers know floats only.
fn number(n: f64) -> Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if n.fract() == 0.0 && n.abs() <= EXACT {
        (n as i64).into()
    } else {
        n.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_what_they_are() {
        for (n, text) in [
            (5.0, "5"),
            (-0.0, "0"),
            (0.5, "0.5"),
            (1e300, "1e+300"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ] {
            assert_eq!(number(n).to_string(), text);
        }
    }
}
