// spymemcached: reads steps from stdin and answers each, as other_client.ts says. There is one mode.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import net.spy.memcached.MemcachedClient;

public class JavaClient {
  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, "UTF-8");
    System.setOut(System.err); // the client logs to System.out
    MemcachedClient client =
        new MemcachedClient(new InetSocketAddress(args[0], Integer.parseInt(args[1])));
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] parts = line.split("\t", -1);
      try {
        if (parts[0].equals("set")) {
          byte[] bytes = Base64.getDecoder().decode(parts[4]);
          boolean stored = client.set(parts[2], 0, read(parts[3], bytes)).get();
          out.println(stored ? "stored" : "error\t");
        } else {
          out.println(write(client.get(parts[2])));
        }
      } catch (Exception error) {
        out.println("error\t" + encode(String.valueOf(error)));
      }
    }
    System.exit(0);
  }

  private static Object read(String type, byte[] bytes) {
    String text = new String(bytes, StandardCharsets.UTF_8);
    switch (type) {
      case "text": return text;
      case "bytes": return bytes;
      case "bool": return Boolean.valueOf(text);
      case "int": return Integer.valueOf(text);
      case "long": return Long.valueOf(text);
      case "byte": return Byte.valueOf(text);
      case "float": return Float.valueOf(text);
      case "double": return Double.valueOf(text);
      case "date": return new Date(Long.parseLong(text));
      default: return new ArrayList<>(List.of(text));
    }
  }

  private static String write(Object value) {
    if (value instanceof byte[]) {
      return "bytes\t" + Base64.getEncoder().encodeToString((byte[]) value);
    }
    if (value instanceof String) return "text\t" + encode((String) value);
    if (value instanceof Boolean) return "bool\t" + encode(value.toString());
    if (value instanceof Integer) return "int\t" + encode(value.toString());
    if (value instanceof Long) return "long\t" + encode(value.toString());
    if (value instanceof Double) return "double\t" + encode(value.toString());
    if (value instanceof Date) return "date\t" + encode(String.valueOf(((Date) value).getTime()));
    return "error\t" + encode(String.valueOf(value));
  }

  private static String encode(String text) {
    return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
  }
}
