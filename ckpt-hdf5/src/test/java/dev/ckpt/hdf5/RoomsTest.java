package dev.ckpt.hdf5;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Holds the format to what formats may know. */
@AnalyzeClasses(packages = "dev.ckpt.hdf5", importOptions = RoomsTest.WithoutTests.class)
class RoomsTest {

  /** Also where the build folder is not {@code target}. */
  static final class WithoutTests implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/");
    }
  }

  @ArchTest
  static final ArchRule theFormatKnowsValuesSeamsAndWhatFormatsShare =
      noClasses()
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.ckpt..")
                  .and(
                      DescribedPredicate.not(
                          resideInAnyPackage(
                              "dev.ckpt",
                              "dev.ckpt.spi",
                              "dev.ckpt.manifest",
                              "dev.ckpt.internal.shard",
                              "dev.ckpt.hdf5.."))));

  @ArchTest
  static final ArchRule theFormatKnowsNoDoor =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveNameMatching(
              "dev\\.ckpt\\.(CheckpointManager|CheckpointManagerBuilder|Checkpoints|Maintenance|Stores|CheckpointConfig)(\\$.*)?");

  /** What it would go back with, to patch what it wrote. */
  @ArchTest
  static final ArchRule theFormatOpensNoFileAndNeedsNoLibrary =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("java.nio.file..", "java.nio.channels..", "io.jhdf..");

  @ArchTest
  static final ArchRule nothingIsDeserialised =
      noClasses()
          .should()
          .dependOnClassesThat()
          .haveFullyQualifiedName("java.io.ObjectInputStream");

  @ArchTest
  static final ArchRule nothingReachesBehindTheJdk =
      noClasses().should().dependOnClassesThat().resideInAnyPackage("sun..", "jdk.internal..");
}
