package dev.ckpt.internal.commit;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The machine and the process that an attempt is taken on: written here, and compared here. */
public final class Workplace {

  /** What there is to say of a process from its record. */
  public enum Presence {
    /** It is there. */
    HERE,
    /** It was on this machine and is gone. */
    GONE,
    /** It is, or was, on another machine, or nobody can tell. */
    ELSEWHERE
  }

  private static final String HOST = "host";
  private static final String PID = "pid";
  private static final String NAMELESS = "localhost";

  /** The system's clock may have been set between the two times that are compared. */
  private static final Duration SLACK = Duration.ofSeconds(1);

  private Workplace() {}

  /** Facts of this process, as an attempt's record holds them. */
  static Map<String, String> provenance() {
    Map<String, String> facts = new TreeMap<>();
    facts.put(HOST, host());
    facts.put(PID, Long.toString(ProcessHandle.current().pid()));
    facts.put("java", System.getProperty("java.version", "?"));
    facts.put("vm", System.getProperty("java.vm.name", "?"));
    facts.put("os", System.getProperty("os.name", "?") + " " + System.getProperty("os.arch", "?"));
    facts.put("cpus", Integer.toString(Runtime.getRuntime().availableProcessors()));
    return facts;
  }

  /**
   * Whether the process that wrote these facts still runs. A number is given to another process
   * when it is free again, so one that began after the attempt was taken is not the one.
   *
   * @param taken when the attempt was taken, by that process's clock
   */
  public static Presence presence(Map<String, String> provenance, Instant taken) {
    String host = provenance.get(HOST);
    String pid = provenance.getOrDefault(PID, "");
    if (host == null || !host.equals(host()) || !pid.matches("[0-9]{1,18}")) {
      return Presence.ELSEWHERE;
    }
    Optional<ProcessHandle> process =
        ProcessHandle.of(Long.parseLong(pid)).filter(ProcessHandle::isAlive);
    boolean here =
        process.isPresent()
            && process
                .get()
                .info()
                .startInstant()
                .map(began -> !began.isAfter(taken.plus(SLACK)))
                .orElse(true);
    if (here) {
      return Presence.HERE;
    }
    // machines without a name cannot be told apart
    return host.equals(NAMELESS) ? Presence.ELSEWHERE : Presence.GONE;
  }

  /** Who wrote these facts, for messages. */
  public static String named(Map<String, String> provenance) {
    return "process "
        + provenance.getOrDefault(PID, "?")
        + " on "
        + provenance.getOrDefault(HOST, "?");
  }

  /** This machine's name; shells export theirs or not, so the kernel is asked first. */
  static String host() {
    try {
      String name = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
      if (!name.isEmpty()) {
        return name;
      }
    } catch (IOException | SecurityException e) {
      // not Linux: what the environment says
    }
    for (String variable : new String[] {"HOSTNAME", "COMPUTERNAME"}) {
      String name = System.getenv(variable);
      if (name != null && !name.isEmpty()) {
        return name;
      }
    }
    return NAMELESS;
  }
}
