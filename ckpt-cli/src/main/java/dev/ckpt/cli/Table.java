package dev.ckpt.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Columns under headers: words to the left, numbers to the right. A column that is empty in all
 * rows is left out. On a terminal that is too narrow nothing is cut: the last text is wrapped, or
 * the cells of movable columns go below their row, with their names. Where nobody looks each row is
 * one line.
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

  private record Column(String header, boolean right, boolean movable, boolean text) {}

  private record Row(Tone tone, List<String> cells) {}

  private static final String BOLD = "\u001b[1m";
  private static final String END = "\u001b[0m";
  private static final int GAP = 2;

  /** Narrower than that nobody reads a sentence. */
  private static final int NARROWEST_TEXT = 40;

  private static final String BELOW = "    ";

  private final List<Column> columns = new ArrayList<>();
  private final List<Row> rows = new ArrayList<>();

  Table left(String header) {
    columns.add(new Column(header, false, false, false));
    return this;
  }

  Table right(String header) {
    columns.add(new Column(header, true, false, false));
    return this;
  }

  /** Sentences: movable, and understood without a name. */
  Table text(String header) {
    columns.add(new Column(header, false, true, true));
    return this;
  }

  /** The column added last is one that may go below the rows. */
  Table movable() {
    Column last = columns.remove(columns.size() - 1);
    columns.add(new Column(last.header(), last.right(), true, false));
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
    for (int i = 0; i < widths.length; i++) {
      for (Row row : rows) {
        widths[i] = Math.max(widths[i], Text.width(row.cells().get(i)));
      }
      if (widths[i] > 0) {
        widths[i] = Math.max(widths[i], Text.width(columns.get(i).header()));
      }
    }
    boolean[] moved = new boolean[widths.length];
    int wrapped = fit(widths, moved, console.width());
    boolean coloured = console.coloured();
    List<String> headers = columns.stream().map(Column::header).toList();
    String header = line(headers, widths, moved);
    console.out.println(coloured ? BOLD + header + END : header);
    for (Row row : rows) {
      boolean plain = !coloured || row.tone() == Tone.PLAIN;
      for (String line : lines(row.cells(), widths, moved, wrapped, console.width())) {
        console.out.println(plain ? line : row.tone().begin + line + END);
      }
    }
  }

  /**
   * Makes the columns fit, as far as that goes.
   *
   * @param moved set for those that go below
   * @param most 0 if there is no limit
   * @return the column to wrap, narrowed; -1 if none is
   */
  private int fit(int[] widths, boolean[] moved, int most) {
    if (most <= 0 || whole(widths, moved) <= most) {
      return -1;
    }
    int last = last(widths, moved);
    int room = most - (whole(widths, moved) - widths[last]);
    if (columns.get(last).text() && room >= NARROWEST_TEXT) {
      widths[last] = room;
      return last;
    }
    for (int i = widths.length - 1; i >= 0 && whole(widths, moved) > most; i--) {
      moved[i] = columns.get(i).movable();
    }
    return -1;
  }

  private static int last(int[] widths, boolean[] moved) {
    int last = widths.length - 1;
    while (last > 0 && (widths[last] == 0 || moved[last])) {
      last--;
    }
    return last;
  }

  private static int whole(int[] widths, boolean[] moved) {
    int whole = -GAP;
    for (int i = 0; i < widths.length; i++) {
      whole += widths[i] == 0 || moved[i] ? 0 : widths[i] + GAP;
    }
    return whole;
  }

  private List<String> lines(
      List<String> cells, int[] widths, boolean[] moved, int wrapped, int most) {
    if (wrapped >= 0) {
      List<String> text = Text.wrapped(cells.get(wrapped), widths[wrapped]);
      List<String> first = new ArrayList<>(cells);
      first.set(wrapped, text.get(0));
      List<String> lines = new ArrayList<>(List.of(line(first, widths, moved)));
      String indent = " ".repeat(whole(widths, moved) - widths[wrapped]);
      text.subList(1, text.size()).forEach(rest -> lines.add(indent + rest));
      return lines;
    }
    List<String> lines = new ArrayList<>(List.of(line(cells, widths, moved)));
    int room = Math.max(NARROWEST_TEXT, most) - BELOW.length();
    List<String> below = new ArrayList<>();
    List<String> texts = new ArrayList<>();
    for (int i = 0; i < widths.length; i++) {
      if (moved[i] && columns.get(i).text() && !cells.get(i).isEmpty()) {
        texts.add(cells.get(i));
      } else if (moved[i] && !cells.get(i).isEmpty()) {
        String header = columns.get(i).header();
        // a metric bears its own name, the others are shouted only at the top
        boolean shouted = header.equals(header.toUpperCase(Locale.ROOT));
        below.add((shouted ? header.toLowerCase(Locale.ROOT) : header) + " " + cells.get(i));
      }
    }
    if (!below.isEmpty()) {
      texts.add(0, String.join(", ", below));
    }
    for (String text : texts) {
      Text.wrapped(text, room).forEach(rest -> lines.add(BELOW + rest));
    }
    return lines;
  }

  private String line(List<String> cells, int[] widths, boolean[] moved) {
    StringBuilder line = new StringBuilder();
    int last = last(widths, moved);
    for (int i = 0; i < widths.length; i++) {
      if (widths[i] > 0 && !moved[i]) {
        String gap = " ".repeat(Math.max(0, widths[i] - Text.width(cells.get(i))));
        boolean right = columns.get(i).right();
        line.append(line.isEmpty() ? "" : "  ").append(right ? gap : "").append(cells.get(i));
        line.append(right || i == last ? "" : gap);
      }
    }
    return line.toString().stripTrailing();
  }
}
