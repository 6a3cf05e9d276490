//! What the figures are meant to be, and whether they are.

use crate::figure::Table;

/// The aims that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Aims(Vec<Aim>);

#[derive(Debug)]
struct Aim {
    what: String,
    figure: f64,
    most: f64,
    unit: &'static str,
}

impl Aims {
    /// Notes a figure; gives its aim for the table.
    pub(crate) fn most(
        &mut self,
        what: &str,
        figure: f64,
        most: f64,
        unit: &'static str,
    ) -> String {
        let what = what.to_owned();
        self.0.push(Aim {
            what,
            figure,
            most,
            unit,
        });
        format!("<= {most}{unit}")
    }

    /// Says of each aim whether it was met.
    pub(crate) fn show(&self, table: &mut Table) -> std::io::Result<()> {
        table.part("aims")?;
        for aim in &self.0 {
            let Aim {
                what,
                figure,
                most,
                unit,
            } = aim;
            let verdict = if figure <= most { "met" } else { "MISSED" };
            let figure = format!("{figure:.2}{unit}");
            table.line(what, &figure, &format!("<= {most}{unit}  {verdict}"))?;
        }
        Ok(())
    }
}
