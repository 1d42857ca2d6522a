import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.text.DateFormatSymbols;
import java.util.Locale;

/** Prints the English names of time zones: id, then short and long of standard and of summer time. */
class ZoneNames {
    public static void main(String[] args) {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String[] n : DateFormatSymbols.getInstance(Locale.ENGLISH).getZoneStrings()) {
            out.println(n[0] + "\t" + n[2] + "\t" + n[1] + "\t" + n[4] + "\t" + n[3]);
        }
        out.flush();
    }
}
