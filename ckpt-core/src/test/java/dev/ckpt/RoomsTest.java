package dev.ckpt;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.Set;
import java.util.stream.Stream;

/** Holds the direction of the arrows between the packages of the core. */
@AnalyzeClasses(packages = "dev.ckpt", importOptions = ImportOption.DoNotIncludeTests.class)
class RoomsTest {

  /** The rooms that the rules below name. */
  private static final String[] ALL = {
    "json", "shard", "arrow", "local", "memory", "commit", "save", "restore"
  };

  /**
   * Rooms that are not built yet: only for these may a rule find nothing to look at. {@link
   * #noBuiltRoomIsCalledPlanned} says when one has to go from here.
   */
  private static final Set<String> PLANNED =
      Set.of("json", "shard", "arrow", "local", "memory", "commit", "save", "restore");

  /** The user's types that compose the other rooms. All others are values and interfaces. */
  private static final DescribedPredicate<JavaClass> DOORS =
      nameMatching("dev\\.ckpt\\.(CheckpointManager|Checkpoints|Stores|CheckpointConfig)(\\$.*)?")
          .<JavaClass>forSubtype()
          .as("the doors");

  @ArchTest
  static void noBuiltRoomIsCalledPlanned(JavaClasses classes) {
    assertThat(PLANNED)
        .as("planned rooms that are built: take them out of PLANNED")
        .noneMatch(room -> classes.stream().anyMatch(resideInAPackage(internal(room))));
  }

  @ArchTest
  static final ArchRule onlyTheDoorsKnowWhatIsBehindThem =
      noClasses()
          .that(resideInAPackage("dev.ckpt").and(DescribedPredicate.not(DOORS)))
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.ckpt.spi..", "dev.ckpt.manifest..", "dev.ckpt.internal..");

  @ArchTest
  static final ArchRule seamsKnowOnlyValuesAndRecords =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.spi..")
          .should()
          .dependOnClassesThat(resideInAPackage("dev.ckpt.internal..").or(DOORS));

  @ArchTest
  static final ArchRule recordsKnowNeitherSeamsNorRooms =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.manifest..")
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.ckpt.spi..")
                  .or(
                      resideInAPackage("dev.ckpt.internal..")
                          .and(DescribedPredicate.not(resideInAPackage(internal("json")))))
                  .or(DOORS));

  @ArchTest
  static final ArchRule recordsDoNoInputOrOutput =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.manifest..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.nio.file..", "java.nio.channels..", "java.net..");

  @ArchTest
  static final ArchRule jsonKnowsNoOtherRoom =
      ofRooms(
          noClasses()
              .that()
              .resideInAPackage(internal("json"))
              .should()
              .dependOnClassesThat(
                  resideInAnyPackage("dev.ckpt.spi..", "dev.ckpt.manifest..")
                      .or(
                          resideInAPackage("dev.ckpt.internal..")
                              .and(DescribedPredicate.not(resideInAPackage(internal("json")))))
                      .or(DOORS)),
          "json");

  @ArchTest
  static final ArchRule shardsAndStoresKnowNoSaveRestoreOrCommit =
      ofRooms(
          noClasses()
              .that()
              .resideInAnyPackage(internal("shard", "arrow", "local", "memory"))
              .should()
              .dependOnClassesThat()
              .resideInAnyPackage(internal("save", "restore", "commit")),
          "shard",
          "arrow",
          "local",
          "memory");

  @ArchTest
  static final ArchRule commitKnowsNeitherSaveNorRestore =
      ofRooms(
          noClasses()
              .that()
              .resideInAPackage(internal("commit"))
              .should()
              .dependOnClassesThat()
              .resideInAnyPackage(internal("save", "restore")),
          "commit");

  @ArchTest
  static final ArchRule noRoomCallsTheManager =
      ofRooms(
          noClasses()
              .that()
              .resideInAPackage("dev.ckpt.internal..")
              .should()
              .dependOnClassesThat(
                  nameMatching("dev\\.ckpt\\.(CheckpointManager|Checkpoints)(\\$.*)?")),
          ALL);

  @ArchTest
  static final ArchRule roomsHaveNoCycle =
      ofRooms(slices().matching("dev.ckpt.internal.(*)..").should().beFreeOfCycles(), ALL);

  @ArchTest
  static final ArchRule onlyTheArrowRoomKnowsArrow =
      noClasses()
          .that()
          .resideOutsideOfPackage(internal("arrow"))
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.apache.arrow..", "com.google.flatbuffers..");

  @ArchTest
  static final ArchRule nothingDependsOnTheTestkit =
      noClasses().should().dependOnClassesThat().resideInAPackage("dev.ckpt.testkit..");

  @ArchTest
  static final ArchRule nothingIsDeserialised =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("java.io.ObjectInputStream");

  @ArchTest
  static final ArchRule nothingReachesBehindTheJdk =
      noClasses().should().dependOnClassesThat().resideInAnyPackage("sun..", "jdk.internal..");

  private static String internal(String room) {
    return "dev.ckpt.internal." + room + "..";
  }

  private static String[] internal(String... rooms) {
    return Stream.of(rooms).map(RoomsTest::internal).toArray(String[]::new);
  }

  /** A rule that may be empty only as long as all the rooms that it looks at are planned. */
  private static ArchRule ofRooms(ArchRule rule, String... rooms) {
    return rule.allowEmptyShould(PLANNED.containsAll(Set.of(rooms)));
  }
}
