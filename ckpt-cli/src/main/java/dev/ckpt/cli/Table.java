package dev.ckpt.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * Columns under headers: words to the left, numbers to the right. A column that is empty in all
 * rows is left out.
 */
final class Table {

  /** How a row is drawn where there are colours. */
  enum Tone {
    PLAIN(""),
    FAINT("\u001b[2m"),
    BAD("\u001b[31m");

    private final String begin;

    Tone(String begin) {
      this.begin = begin;
    }
  }

  private record Column(String header, boolean right) {}

  private record Row(Tone tone, List<String> cells) {}

  private static final String BOLD = "\u001b[1m";
  private static final String END = "\u001b[0m";

  private final List<Column> columns = new ArrayList<>();
  private final List<Row> rows = new ArrayList<>();

  Table left(String header) {
    columns.add(new Column(header, false));
    return this;
  }

  Table right(String header) {
    columns.add(new Column(header, true));
    return this;
  }

  void row(String... cells) {
    row(Tone.PLAIN, List.of(cells));
  }

  /** Adds a row of as many cells as there are columns. */
  void row(Tone tone, List<String> cells) {
    if (cells.size() != columns.size()) {
      throw new IllegalArgumentException(cells.size() + " cells in " + columns.size() + " columns");
    }
    rows.add(new Row(tone, cells.stream().map(Text::oneLine).toList()));
  }

  void print(Console console) {
    int[] widths = new int[columns.size()];
    int last = 0;
    for (int i = 0; i < widths.length; i++) {
      for (Row row : rows) {
        widths[i] = Math.max(widths[i], length(row.cells().get(i)));
      }
      if (widths[i] > 0) {
        widths[i] = Math.max(widths[i], length(columns.get(i).header()));
        last = i;
      }
    }
    boolean coloured = console.coloured();
    List<String> headers = columns.stream().map(Column::header).toList();
    console.out.println(
        coloured ? BOLD + line(headers, widths, last) + END : line(headers, widths, last));
    for (Row row : rows) {
      String line = line(row.cells(), widths, last);
      boolean plain = !coloured || row.tone() == Tone.PLAIN;
      console.out.println(plain ? line : row.tone().begin + line + END);
    }
  }

  private String line(List<String> cells, int[] widths, int last) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      if (widths[i] > 0) {
        String gap = " ".repeat(widths[i] - length(cells.get(i)));
        boolean right = columns.get(i).right();
        line.append(line.isEmpty() ? "" : "  ").append(right ? gap : "").append(cells.get(i));
        line.append(right || i == last ? "" : gap);
      }
    }
    return line.toString().stripTrailing();
  }

  private static int length(String text) {
    return text.codePointCount(0, text.length());
  }
}
