//! Where data differ from those a model was trained on.

use clap::Args;
use lookback_infer::data::series::SeriesLayout;
use lookback_infer::data::tagged::TaggedLayout;
use lookback_infer::data::{Column, Format, HeaderChoice, Layout};

/// Options of every command that reads data for a trained model.
#[derive(Args, Debug, Default)]
pub(super) struct Columns {
    /// Format of the data [default: by the file's extension, or first bytes, else as in training; to be answered, one input per
    /// line]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Whether the first row holds the columns' names [default: as in training]
    #[arg(long, value_enum)]
    header: Option<HeaderChoice>,
    /// Column or key of the text, or source [default: as in training]
    #[arg(long, visible_alias = "source", value_name = "COLUMN")]
    text: Option<Column>,
    /// Column that tells the series apart (csv-long), or is no step of them (wide) [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    id: Option<Column>,
    /// Column that orders the steps of a series (csv-long) [default: as in training]
    #[arg(long, value_name = "COLUMN")]
    time: Option<Column>,
    #[command(flatten)]
    layout: Layout,
    #[command(flatten)]
    series: SeriesLayout,
    #[command(flatten)]
    tagged: TaggedLayout,
}

impl Columns {
    /// With the column of the label, where that is read.
    pub(super) fn with_label(self, label: Option<Column>) -> lookback_infer::input::Columns {
        let Columns { format, header, text, id, time, layout, series, tagged } = self;
        let (label_separator, pretokenized) = (None, false);
        lookback_infer::input::Columns {
            format,
            header,
            text,
            label,
            id,
            time,
            layout,
            series,
            label_separator,
            pretokenized,
            tagged,
            target: None,
            target_file: None,
        }
    }
}
