package dev.ckpt.cli;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Holds the command to the doors of the core. */
@AnalyzeClasses(packages = "dev.ckpt.cli", importOptions = RoomsTest.WithoutTests.class)
class RoomsTest {

  /** Also where the build folder is not {@code target}. */
  static final class WithoutTests implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/");
    }
  }

  @ArchTest
  static final ArchRule theCommandUsesOnlyTheDoors =
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
                              "dev.ckpt.mlflow",
                              "dev.ckpt.cli.."))));

  @ArchTest
  static final ArchRule databindIsNotLoadedToPrint =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("com.fasterxml.jackson.databind..");

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
