//! One comparison as a picture: a bar for each contender, drawn by hand because that is shorter
//! than asking a library to.

use std::fmt::Write;

/// What a letter of a name takes at most, and the bars with what is written beside them.
const LETTER: usize = 9;
const BARS: usize = 430;
const BESIDE: usize = 120;
const ROW: usize = 30;

/// A bar: its name, its length, and what is written beside it.
pub(crate) type Bar = (String, f64, String);

/// Draws the bars under a title, ours in another colour.
pub(crate) fn svg(title: &str, bars: &[Bar], is_ours: impl Fn(&str) -> bool) -> String {
    let longest = bars.iter().map(|bar| bar.1).fold(f64::MIN_POSITIVE, f64::max);
    let letters = bars.iter().map(|bar| bar.0.chars().count()).max().unwrap_or(0);
    let left = LETTER * letters + 20;
    let width = left + BARS + BESIDE;
    let height = 60 + ROW * bars.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"17\" fill=\"#222\">{title}</text>\n"
    );
    for (at, (name, value, label)) in bars.iter().enumerate() {
        let y = 48 + at * ROW;
        let length = value / longest * BARS as f64;
        let colour = if is_ours(name) { "#b5382a" } else { "#8a97a6" };
        let (middle, end) = (y + 15, left as f64 + length + 8.0);
        let text = format!("<text y=\"{middle}\" fill=\"#222\"");
        writeln!(svg, "{text} x=\"{}\" text-anchor=\"end\">{name}</text>", left - 10)
            .and_then(|()| {
                writeln!(
                    svg,
                    "<rect x=\"{left}\" y=\"{y}\" width=\"{length:.1}\" height=\"20\" fill=\"{colour}\"/>"
                )
            })
            .and_then(|()| writeln!(svg, "{text} x=\"{end:.1}\">{label}</text>"))
            .expect("a string takes text");
    }
    svg + "</svg>\n"
}
