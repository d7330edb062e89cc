package dev.ckpt.mlflow;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Holds the module to the doors of the core, and its rooms apart. */
@AnalyzeClasses(packages = "dev.ckpt.mlflow", importOptions = RoomsTest.WithoutTests.class)
class RoomsTest {

  /** Also where the build folder is not {@code target}. */
  static final class WithoutTests implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/") && !location.contains("/test/");
    }
  }

  @ArchTest
  static final ArchRule theModuleUsesOnlyTheUsersRoomAndTheSeams =
      noClasses()
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.ckpt..")
                  .and(
                      DescribedPredicate.not(
                          resideInAnyPackage("dev.ckpt", "dev.ckpt.spi", "dev.ckpt.mlflow.."))));

  @ArchTest
  static final ArchRule outboxReportAndRestKnowNothingOfEachOther =
      slices()
          .matching("dev.ckpt.mlflow.internal.(outbox|report|rest)..")
          .should()
          .notDependOnEachOther();

  @ArchTest
  static final ArchRule noRoomKnowsTheDoors =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.mlflow.internal..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("dev.ckpt.mlflow");

  @ArchTest
  static final ArchRule onlyOneRoomCallsAServer =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.ckpt.mlflow.internal.rest..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("java.net.http..");

  @ArchTest
  static final ArchRule whoCallsAServerKnowsNoCheckpoint =
      noClasses()
          .that()
          .resideInAPackage("dev.ckpt.mlflow.internal.rest..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("dev.ckpt", "dev.ckpt.spi");

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
