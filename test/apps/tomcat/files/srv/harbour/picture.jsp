<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="java.awt.image.*, java.io.*, javax.imageio.*, java.util.zip.*" %><%
System.setProperty("java.awt.headless", "true");
BufferedImage i = new BufferedImage(30, 20, BufferedImage.TYPE_INT_RGB);
i.setRGB(3, 4, 0xff8800);
for (String kind : new String[] {"png", "jpg", "gif", "bmp"}) {
	ByteArrayOutputStream b = new ByteArrayOutputStream();
	ImageIO.write(i, kind, b);
	CRC32 c = new CRC32(); c.update(b.toByteArray());
	out.println(kind + " " + c.getValue() + " " + ImageIO.read(new ByteArrayInputStream(b.toByteArray())).getWidth());
}
%>
