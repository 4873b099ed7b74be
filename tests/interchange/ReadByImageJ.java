import ij.ImagePlus;
import ij.gui.Roi;
import ij.io.Opener;
import ij.io.RoiDecoder;
import ij.measure.Calibration;
import ij.process.ImageProcessor;
import java.awt.Rectangle;
import java.io.DataOutputStream;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.BufferedOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** What ImageJ's own code finds in files: FILE HEIGHT WIDTH, again and again; FILE.raw gets int32 numbers of objects. */
public class ReadByImageJ {
    public static void main(String[] words) throws Exception {
        for (int i = 0; i < words.length; i += 3) {
            int height = Integer.parseInt(words[i + 1]), width = Integer.parseInt(words[i + 2]);
            int[] numbers = words[i].endsWith(".zip") ? ofRegions(words[i], height, width) : ofImage(words[i]);
            try (DataOutputStream out = new DataOutputStream(
                    new BufferedOutputStream(new FileOutputStream(words[i] + ".raw")))) {
                for (int number : numbers) out.writeInt(number);
            }
        }
    }

    static int[] ofRegions(String path, int height, int width) throws Exception {
        int[] numbers = new int[height * width];
        int number = 0;
        try (ZipInputStream zip = new ZipInputStream(new FileInputStream(path))) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                Roi roi = new RoiDecoder(zip.readAllBytes(), entry.getName()).getRoi();
                Rectangle box = roi.getBounds();
                ImageProcessor mask = roi.getMask();
                number++;
                for (int y = 0; y < box.height; y++)
                    for (int x = 0; x < box.width; x++)
                        if (mask == null || mask.get(x, y) != 0) {
                            int place = (box.y + y) * width + box.x + x;
                            if (numbers[place] != 0) throw new Exception("regions overlap at " + place);
                            numbers[place] = number;
                        }
                System.out.println(roi.getName() + "\t" + (roi.getStrokeColor() == null ? "" : roi.getStrokeColor().getRGB()) + "\t" + roi.getTypeAsString());
            }
        }
        return numbers;
    }

    static int[] ofImage(String path) throws Exception {
        ImagePlus image = new Opener().openImage(path);
        ImageProcessor pixels = image.getProcessor();
        int[] numbers = new int[pixels.getPixelCount()];
        for (int place = 0; place < numbers.length; place++) numbers[place] = (int) pixels.getf(place);
        Calibration size = image.getCalibration();
        System.out.println(size.pixelWidth + "\t" + size.pixelHeight + "\t" + size.getUnit());
        return numbers;
    }
}
