package dev.ckpt;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.util.stream.Stream;

/** Holds the direction of the arrows between the packages of the core. */
@AnalyzeClasses(packages = "dev.ckpt", importOptions = RoomsTest.WithoutTests.class)
class RoomsTest {

  /** Also where the build folder is not {@code target}. */
  static final class WithoutTests implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/");
    }
  }

  /** The user's types that compose the other rooms. All others are values and interfaces. */
  private static final DescribedPredicate<JavaClass> DOORS =
      nameMatching(
              "dev\\.ckpt\\.(CheckpointManager|CheckpointManagerBuilder|Checkpoints|Maintenance|Stores|CheckpointConfig)(\\$.*)?")
          .<JavaClass>forSubtype()
          .as("the doors");

  private static final String JSON = "dev.ckpt.internal.json..";

  private static final DescribedPredicate<JavaClass> ROOMS_BUT_JSON =
      resideInAPackage("dev.ckpt.internal..").and(DescribedPredicate.not(resideInAPackage(JSON)));

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
          .dependOnClassesThat(resideInAPackage("dev.ckpt.spi..").or(ROOMS_BUT_JSON).or(DOORS));

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
      noClasses()
          .that()
          .resideInAPackage(JSON)
          .should()
          .dependOnClassesThat(
              resideInAnyPackage("dev.ckpt.spi..", "dev.ckpt.manifest..")
                  .or(ROOMS_BUT_JSON)
                  .or(DOORS));

  @ArchTest
  static final ArchRule shardsAndStoresKnowNothingOfCheckpoints =
      noClasses()
          .that()
          .resideInAnyPackage(internal("shard", "arrow", "formats", "local", "memory"))
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              internal("save", "restore", "commit", "keep", "mend", "run", "survey", "convert"));

  @ArchTest
  static final ArchRule commitKnowsNobodyWhoUsesIt =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.internal.commit..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              internal("save", "restore", "keep", "mend", "run", "survey", "convert"));

  @ArchTest
  static final ArchRule saveAndRestoreKnowNothingOfEachOther =
      slices().matching("dev.ckpt.internal.(save|restore)..").should().notDependOnEachOther();

  @ArchTest
  static final ArchRule nothingThatTrainsDependsOnWhoLooksOrConverts =
      noClasses()
          .that()
          .resideInAnyPackage(internal("save", "restore", "keep", "run"))
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(internal("survey", "convert"));

  @ArchTest
  static final ArchRule noRoomCallsTheManager =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.internal..")
          .should()
          .dependOnClassesThat(
              nameMatching(
                  "dev\\.ckpt\\.(CheckpointManager|CheckpointManagerBuilder|Checkpoints|Maintenance)(\\$.*)?"));

  @ArchTest
  static final ArchRule roomsHaveNoCycle =
      slices().matching("dev.ckpt.internal.(*)..").should().beFreeOfCycles();

  @ArchTest
  static final ArchRule onlyTheArrowRoomKnowsArrow =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.ckpt.internal.arrow..")
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

  private static String[] internal(String... rooms) {
    return Stream.of(rooms).map(room -> "dev.ckpt.internal." + room + "..").toArray(String[]::new);
  }
}
