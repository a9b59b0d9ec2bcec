//! Small charts, as numbers that a template draws: bars above a line.

use serde::Serialize;
use serde_json::Value;

/// The room for bars.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 100.0;

/// A bar of two parts, one above the other.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Bar {
    label: String,
    lower: u64,
    upper: u64,
    x: f64,
    width: f64,
    lower_y: f64,
    lower_height: f64,
    upper_y: f64,
    upper_height: f64,
}

/// Bars of the numbers under two names, each under a label.
pub(super) fn bars(rows: &Value, label: &str, lower: &str, upper: &str) -> Vec<Bar> {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or_default();
    let highest = rows.iter().map(|row| number(row, lower) + number(row, upper)).max();
    #[expect(clippy::cast_precision_loss, reason = "nobody sees a difference of one in 2^53")]
    let scale = HEIGHT / highest.unwrap_or_default().max(1) as f64;
    #[expect(clippy::cast_precision_loss, reason = "there are a few dozen bars")]
    let step = WIDTH / rows.len().max(1) as f64;
    let mut x = 0.0;
    let mut bars = Vec::new();
    for row in rows {
        let (below, above) = (number(row, lower), number(row, upper));
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        let (lower_height, upper_height) = (below as f64 * scale, above as f64 * scale);
        bars.push(Bar {
            label: row[label].as_str().unwrap_or_default().to_owned(),
            lower: below,
            upper: above,
            x: round(x + step * 0.1),
            width: round(step * 0.8),
            lower_y: round(HEIGHT - lower_height),
            lower_height: round(lower_height),
            upper_y: round(HEIGHT - lower_height - upper_height),
            upper_height: round(upper_height),
        });
        x += step;
    }
    bars
}

/// What the highest bar stands for.
pub(super) fn highest(bars: &[Bar]) -> u64 {
    bars.iter().map(|bar| bar.lower + bar.upper).max().unwrap_or_default()
}

/// A tenth is as fine as can be seen.
fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_bar_fills_the_chart_and_parts_stand_on_each_other() {
        let rows = json!([
            { "at": "one", "good": 3, "bad": 1 },
            { "at": "two", "good": 1, "bad": 0 },
        ]);
        let bars = bars(&rows, "at", "good", "bad");
        assert_eq!((bars.len(), highest(&bars)), (2, 4));
        assert_eq!((bars[0].upper_y, bars[0].upper_height), (0.0, 25.0));
        assert_eq!((bars[0].lower_y, bars[0].lower_height), (25.0, 75.0));
        assert_eq!((bars[1].x, bars[1].width), (264.0, 192.0));
        assert_eq!((bars[1].lower_y, bars[1].lower_height), (75.0, 25.0));
    }

    #[test]
    fn nothing_to_count_is_a_flat_line() {
        let bars = bars(&json!([{ "at": "one", "good": 0, "bad": 0 }]), "at", "good", "bad");
        assert_eq!((bars[0].lower_height, bars[0].upper_height), (0.0, 0.0));
    }
}
