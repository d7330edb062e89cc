package dev.ckpt.dl4j;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** Holds the adapter to the doors of the core. */
@AnalyzeClasses(packages = "dev.ckpt.dl4j", importOptions = RoomsTest.WithoutTests.class)
class RoomsTest {

  /** Also where the build folder is not {@code target}. */
  static final class WithoutTests implements ImportOption {
    @Override
    public boolean includes(Location location) {
      return !location.contains("/test-classes/");
    }
  }

  @ArchTest
  static final ArchRule theAdapterUsesOnlyTheUsersRoomAndTheSeams =
      noClasses()
          .should()
          .dependOnClassesThat(
              resideInAPackage("dev.ckpt..")
                  .and(
                      DescribedPredicate.not(
                          resideInAnyPackage("dev.ckpt", "dev.ckpt.spi", "dev.ckpt.dl4j.."))));

  @ArchTest
  static final ArchRule theAdapterKnowsNoBackend =
      noClasses()
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage("org.nd4j.linalg.cpu..", "org.nd4j.linalg.jcublas..");

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
